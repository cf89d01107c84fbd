#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <fastgpu/detail/argument.hpp>

#include "net/message_fields.hpp"

/// @file
/// Messages without a pattern, within their bounds: every field differs from its default, or not, by chance.

namespace support {

class random_message {
 public:
  explicit random_message(std::uint64_t seed) : random_{seed} {}

  /// Of any type, or of type `type`.
  net::message any() { return of(below(std::variant_size_v<net::message>)); }
  net::message of(std::size_t type)
  {
    net::message made;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((I == type ? fill(made.emplace<I>()) : void()), ...);
    }(std::make_index_sequence<std::variant_size_v<net::message>>{});
    return made;
  }
  /// Of 0 to n - 1.
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

 private:
  template <class T>
  void fill(T& to)
  {
    if constexpr (requires { fields(to); }) {
      std::apply([this](auto&... field) { (fill(field), ...); }, fields(to));
      correct(to);
    } else if constexpr (std::is_array_v<T>) {
      for (auto& one : to) fill(one);
    } else if constexpr (std::is_same_v<T, bool>) {
      to = below(2) == 1;
    } else if constexpr (std::is_integral_v<T>) {
      to = static_cast<T>(random_() >> (below(8) * 8));
      if constexpr (std::is_signed_v<T>) to = static_cast<T>(to & std::numeric_limits<T>::max());
    } else {
      static_assert(std::is_same_v<T, double>);
      constexpr double numbers[] = {0, 1, 0.1, 1e-310, 1e308};
      to = numbers[below(std::size(numbers))];
    }
  }
  void fill(std::byte& to) { to = static_cast<std::byte>(below(256)); }
  void fill(fastgpu::device_id& to) { fill(to.value); }
  void fill(fastgpu::node_id& to) { fill(to.value); }
  void fill(std::string& to)
  {
    to.resize(below(4) == 0 ? below(300) : below(12));
    for (auto& c : to) c = static_cast<char>(below(256));
  }
  template <class T>
  void fill(std::vector<T>& to)
  {
    to.resize(below(16) == 0 ? below(sizeof(T) > 64 ? 9 : 200) : below(4));
    for (auto& one : to) fill(one);
  }
  template <std::size_t N>
  void fill(std::array<std::uint8_t, N>& to)
  {
    for (auto& one : to) fill(one);
  }
  void fill(std::error_code& to)
  {
    switch (below(4)) {
      case 0: to = {}; break;
      case 1: to = fastgpu::make_error_code(static_cast<fastgpu::errc>(1 + below(24))); break;
      case 2: to = {static_cast<int>(1 + below(130)), std::generic_category()}; break;
      default: to = {static_cast<int>(1 + below(130)), std::system_category()}; break;
    }
  }

  // What the bounds ask for beyond a field's type.
  template <class T>
  void correct(T&)
  {
  }
  void correct(fastgpu::interval& to)
  {
    if (to.begin > to.end) std::swap(to.begin, to.end);
  }
  void correct(fastgpu::failure& to)
  {
    to.subtask = static_cast<std::int64_t>(to.subtask & 0xffffffff) - static_cast<std::int64_t>(below(2));
    to.device = below(2) == 0 ? -1 : to.device & 0xffff;
  }
  void correct(fastgpu::device_info& to) { to.workers |= 1; }
  void correct(net::dimension_description& to)
  {
    to.extent &= 0xfffff;
    to.tiles &= 0xfffff;
  }
  void correct(net::argument_description& to)
  {
    to.kind %= 5;
    to.edge %= 3;
    to.rank %= 4;
    to.element_bytes %= 1000;
    for (auto& extent : to.extent) extent &= 0x1ffff;
    to.halo %= net::halo_max + 1;
    to.fill.resize(std::min<std::size_t>(to.fill.size(), 64));
  }
  void correct(net::job_description& to)
  {
    to.fold %= 4;
    to.rank = static_cast<std::int32_t>(1 + below(3));
    to.span_log2 %= 32;
    std::sort(to.bounds.begin(), to.bounds.end());
    if (!to.bounds.empty()) to.subtasks = static_cast<std::uint32_t>(to.bounds.size() - 1);
  }
  void correct(net::job_data_piece& to)
  {
    to.argument %= 256;
    for (int d = 0; d < 3; ++d) {
      if (to.begin[d] > to.end[d]) std::swap(to.begin[d], to.end[d]);
    }
  }
  void correct(net::seal_job& to) { to.request |= 1; }
  void correct(net::acknowledge_seal& to) { to.seal |= 1; }
  void correct(net::job_terms& to)
  {
    to.batch_kind %= 3;
    to.batch_size |= 1;
  }
  void correct(net::job_opened& to)
  {
    to.workers |= 1;
    for (auto& one : to.missing) one %= 256;
  }
  void correct(net::job_sealed& to) { to.seal |= 1; }

  std::mt19937_64 random_;
};

}  // namespace support
