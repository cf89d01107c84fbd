#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "aggregate/partial.hpp"
#include "device/host_device.hpp"
#include "node/job_description.hpp"
#include "node/job_pieces.hpp"
#include "node/received_job.hpp"
#include "node/sealed_values.hpp"

/// @file
/// A node without a session: a job rebuilt from its description, fed with pieces, run on the calling thread.

namespace shipped {

namespace detail = fastgpu::detail;

class small_node {
 public:
  small_node(const detail::job_data& at_home, const detail::job_description& what) : home_{at_home}
  {
    auto made = detail::received_job::make(what, cache_);
    job_ = std::move(made).value();
    for (const auto missing : job_->missing()) {
      const auto piece = detail::whole_piece(home_, missing);
      EXPECT_FALSE(job_->store_piece(piece, detail::pack_piece(home_, piece)));
    }
    EXPECT_TRUE(job_->missing().empty());
    session_ = detail::open_host_session({}, {&job_->data, job_->fold()});
  }

  [[nodiscard]] const detail::received_job& job() const { return *job_; }

  /// Sends what `range` needs in pieces of `bytes_max`, and runs it.
  void run(fastgpu::interval range, std::uint64_t bytes_max)
  {
    for (const auto& piece : detail::pieces_for(home_, range, sent_, bytes_max)) {
      const auto bytes = detail::pack_piece(home_, piece);
      sent_bytes_ += bytes.size();
      const auto why = job_->store_piece(piece, bytes);
      ASSERT_FALSE(why) << why->detail;
    }
    ASSERT_EQ(session_->launch(range), detail::batch_status::done) << session_->why().detail;
    ran_ = true;
  }

  /// What it has folded since it sealed last: fold-set and payload. An empty fold-set if nothing.
  [[nodiscard]] std::pair<detail::interval_set, detail::payload> seal()
  {
    if (!std::exchange(ran_, false)) return {};
    const auto sealed = session_->seal();
    auto fold_set = sealed.values->fold_set();
    auto bytes = detail::pack_partial(job_->data, *sealed.values);
    job_->give_back(sealed.values->fold_set());
    return {std::move(fold_set), std::move(bytes)};
  }

  [[nodiscard]] std::uint64_t sent_bytes() const { return sent_bytes_; }

 private:
  const detail::job_data& home_;
  detail::content_cache cache_{1 << 20};
  detail::ref<detail::received_job> job_;
  detail::interval_set sent_;
  std::unique_ptr<detail::device_session> session_;
  std::uint64_t sent_bytes_ = 0;
  bool ran_ = false;
};

/// The value of a partial in which every subtask is folded.
inline std::vector<std::byte> value_bytes(const detail::job_data& job, detail::partial& of)
{
  if (job.code->values == nullptr) return {};
  std::vector<std::byte> value(job.code->values->bytes * static_cast<std::size_t>(job.width));
  of.value(value.data());
  return value;
}

/// The value that one session at home computes.
inline std::vector<std::byte> direct_value(const detail::job_data& job, detail::fold_kind fold)
{
  const auto session = detail::open_host_session({}, {&job, fold});
  EXPECT_EQ(session->launch({0, job.shape.count}), detail::batch_status::done);
  const auto sealed = session->seal();
  return value_bytes(job, *sealed.values);
}

}  // namespace shipped
