#pragma once

#include <fastgpu/run.hpp>

/// @file
/// Aggregate stage: from a run to its value.

namespace fastgpu::inline v0 {

/// Waits for `of` and gives its value with the summary.
///
/// @throws error  The run's failure; errc::cancelled and errc::deadline_exceeded for those outcomes. To have them as
///                values, call run::wait().
template <class T>
value<T> aggregate(run<T>& of)
{
  return of.wait().get();
}
template <class T>
value<T> aggregate(run<T>&& of)
{
  return of.wait().get();
}

}  // namespace fastgpu::inline v0
