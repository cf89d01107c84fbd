#include <fastgpu/index.hpp>

#include "kernels.hpp"

namespace {

[[maybe_unused]] const bool once = [] { return ++registered > 0; }();

}  // namespace
