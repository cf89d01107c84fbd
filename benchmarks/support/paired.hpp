#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

/// @file
/// Contests in pairs: A B C, B C A, ... in one process. What slows the machine down for a while slows all of them, so
/// their ratios, taken round by round, say more than the ratio of two times taken one after the other.

namespace bench {

/// The median of some figures, with an interval that holds the true median in 95 of 100 cases.
struct estimate {
  double median = 0;
  double low = 0;
  double high = 0;
};

/// The interval lies between two of the figures and asks nothing of their distribution. For fewer than six it is all
/// of their range.
///
/// @see  H. A. David, H. N. Nagaraja, "Order Statistics", 3rd ed., section 7.1.
[[nodiscard]] estimate median_of(std::vector<double> figures);

/// How long and how carefully all contests measure. Set from the command line before the first one.
struct effort {
  bool smoke = false;  ///< Only shows that everything runs: sizes and counts are tiny, the figures mean nothing.
  int rounds = 0;      ///< In place of a benchmark's own count of rounds; 0: its own.
};
[[nodiscard]] effort& effort_of_all();

/// `full`, or `tiny` where only a smoke test is wanted.
template <class T>
[[nodiscard]] T sized(T full, T tiny)
{
  return effort_of_all().smoke ? tiny : full;
}

/// One repetition.
struct sample {
  double seconds = 0;
  bool clean = false;  ///< Nobody else took part: see measure().
};

/// Runs `work` once, then pauses, so that its threads go to sleep. It is clean if all threads together waited for a
/// core during less than 3 % of the time, or if before and after nothing else was running on the machine. Where it is
/// not, it runs again, a few times at most.
[[nodiscard]] sample measure(const std::function<void()>& work);

/// A contest; its first contestant is fastgpu.
class paired {
 public:
  /// @param divide_by  Times are given for one of so many things that `work` does.
  /// @param times      A repetition runs `work` so often, one right after the other.
  explicit paired(double divide_by = 1, int times = 1) : things_{divide_by * times}, times_{times} {}

  void add(std::string name, std::function<void()> work);
  /// Its work does so many things, however many those of the others do.
  void add(std::string name, std::function<void()> work, double things);

  /// Runs everyone once, without measuring.
  void run_once() const;

  /// Warms up, then runs everyone `rounds` times, each round beginning with another one.
  void run(int rounds);

  [[nodiscard]] std::size_t size() const noexcept { return contestants_.size(); }
  [[nodiscard]] const std::string& name(std::size_t who) const { return contestants_.at(who).name; }
  [[nodiscard]] std::size_t find(const std::string& name) const;  ///< @pre  It is there.

  /// Seconds in each round that counts: the clean ones, or all where fewer than a third were clean.
  [[nodiscard]] std::vector<double> seconds(std::size_t who) const;
  [[nodiscard]] double median_seconds(std::size_t who) const { return median_of(seconds(who)).median; }

  /// The fastest by median of all but the first. @pre  There is one.
  [[nodiscard]] std::size_t best_peer() const;

  /// Time of `who` over that of `other`, round by round.
  [[nodiscard]] estimate ratio(std::size_t who, std::size_t other) const;

  /// `f(seconds)` of each round, where `seconds[i]` is the time of contestant i.
  [[nodiscard]] estimate each_round(const std::function<double(const std::vector<double>& seconds)>& f) const;

  [[nodiscard]] int rounds() const noexcept { return static_cast<int>(clean_.size()); }
  [[nodiscard]] int clean_rounds() const noexcept;

 private:
  struct contestant {
    std::string name;
    std::function<void()> work;
    double things;  // in a repetition
    std::vector<double> seconds;
  };
  [[nodiscard]] bool counts(std::size_t round) const;

  double things_;  // in a repetition, where nothing else is said
  int times_;
  std::vector<contestant> contestants_;
  std::vector<bool> clean_;  // of each round
};

}  // namespace bench
