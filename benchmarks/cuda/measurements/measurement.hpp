#pragma once

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

/// @file
/// What to know of a GPU before anything is tuned for it: no bounds, figures alone. An item is a function that adds
/// figures and throws where it cannot go on.

namespace measured {

/// Ends an item that cannot be measured here.
struct skipped : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What an item found. A key ends in its unit.
struct figures {
  std::vector<std::pair<std::string, double>> numbers;
  std::vector<std::pair<std::string, std::string>> texts;

  void add(std::string key, double value) { numbers.emplace_back(std::move(key), value); }
  void add(std::string key, std::string text) { texts.emplace_back(std::move(key), std::move(text)); }
};

struct item {
  std::string name;
  std::string about;
  void (*run)(figures&);
};

/// In the order of their numbers.
std::vector<item>& all_items();

/// Adds an item before main(). @param number  Where it stands among all.
struct registration {
  registration(int number, item what);
};

[[nodiscard]] inline double now_us()
{
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The median time of a call, after one that is not counted.
template <class F>
[[nodiscard]] double median_us(int times, const F& f)
{
  f();
  std::vector<double> took;
  for (int i = 0; i < times; ++i) {
    const auto begin = now_us();
    f();
    took.push_back(now_us() - begin);
  }
  std::nth_element(took.begin(), took.begin() + times / 2, took.end());
  return took[static_cast<std::size_t>(times / 2)];
}

}  // namespace measured
