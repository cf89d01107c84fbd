#pragma once

/// @file
/// All asynchronous forms: calls that take a Boost.Asio completion token.

#include <fastgpu/asio/aggregate.hpp>
#include <fastgpu/asio/functions.hpp>
#include <fastgpu/asio/wait.hpp>
