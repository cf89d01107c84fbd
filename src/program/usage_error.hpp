#pragma once

#include <stdexcept>

namespace program {

/// Ends the program with exit status 2 and one line.
struct usage_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace program
