#pragma once

#include "aggregate/partial.hpp"

/// @file
/// The value of a partial, by its type.

namespace support {

/// @pre `V` is the type of the partial's values, or an array of as many as a vector has.
template <class V>
V value_of(fastgpu::detail::partial& of)
{
  V value;
  of.value(&value);
  return value;
}

}  // namespace support
