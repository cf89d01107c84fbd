#pragma once

#include <cstdint>
#include <utility>

#include <gsl/assert>

#include <fastgpu/detail/shape.hpp>
#include <fastgpu/index.hpp>
#include <fastgpu/job.hpp>

/// @file
/// Decompose stage: the subtasks of a job.

namespace fastgpu::inline v0 {

/// How many subtasks there are and what each costs; which indices they cover is for subtasks<N> to say.
class subtask_list {
 public:
  explicit subtask_list(detail::space_shape shape) : shape_{std::move(shape)} {}

  [[nodiscard]] std::uint32_t size() const noexcept { return shape_.count; }
  [[nodiscard]] bool empty() const noexcept { return shape_.count == 0; }

  /// Sum of the costs of the subtasks before `number`; each costs 1 where the job gave no costs.
  /// @pre number <= size()
  [[nodiscard]] double cost_before(std::uint32_t number) const
  {
    Expects(number <= size());
    return shape_.costs ? shape_.costs->prefix[number] : static_cast<double>(number);
  }

  [[nodiscard]] const detail::space_shape& shape() const noexcept { return shape_; }

 private:
  detail::space_shape shape_;
};

/// The subtasks of a job over N dimensions, numbered row-major. Lazy: nothing is stored but the shape.
template <int N>
class subtasks : public subtask_list {
 public:
  using subtask_list::subtask_list;

  /// The indices of subtask `number`. Blocks are disjoint, ascending, and cover the space.
  [[nodiscard]] block<N> operator[](std::uint32_t number) const
  {
    Expects(number < size());
    return detail::block_of<N>(shape(), number);
  }

  class iterator {
   public:
    iterator(const subtasks& of, std::uint32_t at) : of_{&of}, at_{at} {}
    block<N> operator*() const { return (*of_)[at_]; }
    iterator& operator++()
    {
      ++at_;
      return *this;
    }
    friend bool operator==(const iterator&, const iterator&) = default;

   private:
    const subtasks* of_;
    std::uint32_t at_;
  };
  [[nodiscard]] iterator begin() const { return {*this, 0}; }
  [[nodiscard]] iterator end() const { return {*this, size()}; }
};

/// Cuts a job into its subtasks. O(1).
template <class Value, int N>
[[nodiscard]] subtasks<N> decompose(const job<Value, N>& what)
{
  return subtasks<N>{what.data().shape};
}

/// The same for a bare iteration space.
template <int N>
[[nodiscard]] subtasks<N> decompose(const space<N>& over)
{
  return subtasks<N>{over.shape()};
}

}  // namespace fastgpu::inline v0
