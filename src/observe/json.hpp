#pragma once

#include <boost/json.hpp>

/// @file
/// JSON inside the library: Boost.JSON, compiled once in src/boost_json.cpp, so that nobody has to link it.

namespace fastgpu::inline v0::detail {
namespace json = boost::json;
}
