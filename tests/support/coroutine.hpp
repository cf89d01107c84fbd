#pragma once

#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

/// @file
/// Coroutines of Boost.Asio, in tests that wait for them.

namespace support {

/// Runs a coroutine to its end on a context of its own; passes on its exception.
template <class F>
void run_coroutine(F f)
{
  boost::asio::io_context io;
  std::exception_ptr failed;
  boost::asio::co_spawn(io, std::move(f), [&](std::exception_ptr e) { failed = std::move(e); });
  io.run();
  if (failed) std::rethrow_exception(failed);
}

}  // namespace support
