#include "fuzz/target.hpp"

/// @file
/// The door that libFuzzer knocks at. FASTGPU_FUZZ_TARGET names the target.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
  fuzz::FASTGPU_FUZZ_TARGET(std::as_bytes(std::span{data, size}));
  return 0;
}
