#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

/// @file
/// Where the picture with known answers is.

namespace support {

/// The path of camera.png in the folder FASTGPU_TEST_IMAGES; empty where it is not there.
inline std::string camera_path()
{
  const char* const folder = std::getenv("FASTGPU_TEST_IMAGES");
  if (folder == nullptr) return {};
  const auto path = std::filesystem::path{folder} / "camera.png";
  return std::filesystem::exists(path) ? path.string() : std::string{};
}

/// Why a test is skipped that would need it.
inline constexpr auto no_camera =
    "no camera.png in the folder FASTGPU_TEST_IMAGES: tests/support/get-camera.sh FOLDER fetches it";

}  // namespace support
