#pragma once

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "net/messages.hpp"

/// @file
/// Messages as tuples of their fields. A field that is added to a struct does not compile here, so that no test
/// forgets it.

namespace support {

namespace net = fastgpu::detail;

template <class T, class... As>
concept is_one_of = (std::is_same_v<std::remove_const_t<T>, As> || ...);

#define FASTGPU_TEST_FIELDS(type, ...)       \
  template <is_one_of<type> T>               \
  auto fields(T& what)                       \
  {                                          \
    auto& [__VA_ARGS__] = what;              \
    return std::tie(__VA_ARGS__);            \
  }
FASTGPU_TEST_FIELDS(fastgpu::interval, a, b)
FASTGPU_TEST_FIELDS(fastgpu::failure, a, b, c, d)
FASTGPU_TEST_FIELDS(fastgpu::device_info, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q)
FASTGPU_TEST_FIELDS(net::dimension_description, a, b, c, d)
FASTGPU_TEST_FIELDS(net::argument_description, a, b, c, d, e, f, g, h, i)
FASTGPU_TEST_FIELDS(net::job_description, a, b, c, d, e, f, g, h, i, j, k, l)
FASTGPU_TEST_FIELDS(fastgpu::requirements, a, b, c)
FASTGPU_TEST_FIELDS(net::job_terms, a, b, c, d, e, f)
FASTGPU_TEST_FIELDS(net::open_job, a, b, c, d, e, f)
FASTGPU_TEST_FIELDS(net::job_data_piece, a, b, c, d)
FASTGPU_TEST_FIELDS(net::grant_ranges, a, b, c, d)
FASTGPU_TEST_FIELDS(net::take_back, a, b, c)
FASTGPU_TEST_FIELDS(net::seal_job, a, b, c)
FASTGPU_TEST_FIELDS(net::acknowledge_seal, a, b)
FASTGPU_TEST_FIELDS(net::close_job, a)
FASTGPU_TEST_FIELDS(net::describe_node, a, b)
FASTGPU_TEST_FIELDS(net::job_opened, a, b, c, d, e)
FASTGPU_TEST_FIELDS(net::job_refused, a, b)
FASTGPU_TEST_FIELDS(net::taken_back, a, b, c)
FASTGPU_TEST_FIELDS(net::work_report, a, b, c, d)
FASTGPU_TEST_FIELDS(net::job_sealed, a, b, c, d, e, f, g, h)
FASTGPU_TEST_FIELDS(net::backup_done, a, b)
FASTGPU_TEST_FIELDS(net::attempt_failed, a, b, c, d, e)
FASTGPU_TEST_FIELDS(net::partial_lost, a, b, c)
FASTGPU_TEST_FIELDS(net::job_progress, a, b, c, d)
#undef FASTGPU_TEST_FIELDS

template <is_one_of<net::ask_to_drain, net::ask_description, net::node_drains> T>
std::tuple<> fields(T&)
{
  return {};
}

template <class T>
bool same(const T& a, const T& b)
{
  if constexpr (requires { fields(a); }) {
    const auto x = fields(a);
    const auto y = fields(b);
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return (same(std::get<I>(x), std::get<I>(y)) && ...);
    }(std::make_index_sequence<std::tuple_size_v<decltype(x)>>{});
  } else if constexpr (std::is_array_v<T>) {
    for (std::size_t i = 0; i < std::extent_v<T>; ++i) {
      if (!same(a[i], b[i])) return false;
    }
    return true;
  } else if constexpr (requires { a.capacity(), fields(a[0]); }) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (!same(a[i], b[i])) return false;
    }
    return true;
  } else {
    return a == b;
  }
}
inline bool same(const net::message& a, const net::message& b)
{
  if (a.index() != b.index()) return false;
  return std::visit([&](const auto& one) { return same(one, std::get<std::decay_t<decltype(one)>>(b)); }, a);
}

}  // namespace support
