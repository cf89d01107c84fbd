#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "fuzz/target.hpp"

/// @file
/// The corpus once over, in every build: what a fuzzer has found stays found.

namespace {

void replay(const std::string& target, void (*run)(std::span<const std::byte>))
{
  int inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator{FASTGPU_FUZZ_CORPUS "/" + target}) {
    SCOPED_TRACE(entry.path().string());
    std::ifstream file{entry.path(), std::ios::binary};
    const std::string read{std::istreambuf_iterator<char>{file}, {}};
    run(std::as_bytes(std::span{read}));
    ++inputs;
    // Cut anywhere, too: half a conversation is one that happens.
    for (std::size_t size = 0; size < read.size(); size += 1 + read.size() / 50) {
      run(std::as_bytes(std::span{read}).first(size));
    }
  }
  EXPECT_GT(inputs, 0);
}

TEST(FuzzCorpus, OfCheckpoints) { replay("checkpoint", fuzz::checkpoint); }
TEST(FuzzCorpus, OfFrames) { replay("frame_decoder", fuzz::frame_decoder); }
TEST(FuzzCorpus, OfHandshakes) { replay("handshake", fuzz::handshake); }
TEST(FuzzCorpus, OfSessions) { replay("session", fuzz::session); }

}  // namespace
