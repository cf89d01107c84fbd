#include "nccl/nccl_communicator.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include <gsl/assert>

#include <fastgpu/observe/log.hpp>

#include "cuda/gpu_resources.hpp"
#include "nccl/nccl_library.hpp"

namespace fastgpu::inline v0::detail {
namespace {

static_assert(sizeof(communicator_id::bytes) == NCCL_UNIQUE_ID_BYTES);

cudaStream_t native(gpu_stream stream) { return reinterpret_cast<cudaStream_t>(stream); }

ncclDataType_t native(scalar_kind scalar)
{
  switch (scalar) {
    case scalar_kind::int32: return ncclInt32;
    case scalar_kind::uint32: return ncclUint32;
    case scalar_kind::int64: return ncclInt64;
    case scalar_kind::uint64: return ncclUint64;
    case scalar_kind::float32: return ncclFloat32;
    case scalar_kind::float64: return ncclFloat64;
    case scalar_kind::none: break;
  }
  Expects(false);
  return ncclInt8;
}

ncclRedOp_t native(merge_kind merge)
{
  Expects(merge != merge_kind::other);
  return merge == merge_kind::sum ? ncclSum : merge == merge_kind::minimum ? ncclMin : ncclMax;
}

class nccl_communicator final : public communicator {
 public:
  nccl_communicator(const nccl_library& library, gpu& on, const membership& group, member_id me)
      : library_{library},
        on_{on},
        done_{on, on.create_event()},
        ranks_{group.members.size()},
        rank_{rank_of(group, me)},
        epoch_{group.epoch}
  {
    Expects(ranks_ >= 2);
    on_.make_current();
    ncclUniqueId id;
    std::memcpy(id.internal, group.id.bytes.data(), sizeof id.internal);
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;  // so that abort() may come at any time
    take(library_.comm_init_rank_config(&handle_, static_cast<int>(ranks_), id, static_cast<int>(rank_), &config),
         "ncclCommInitRankConfig");
  }
  nccl_communicator(const nccl_communicator&) = delete;
  nccl_communicator& operator=(const nccl_communicator&) = delete;
  ~nccl_communicator() override { end(); }

  communicator_status status() override
  {
    if (failed_) return communicator_status::failed;
    const bool settled = has_settled("the communicator's start");
    return failed_ ? communicator_status::failed : settled ? communicator_status::ready : communicator_status::starting;
  }

  void reduce(const reduce_request& r, gpu_stream on) override
  {
    begin(on);
    if (failed_) return;
    take(library_.reduce(r.from, r.to, r.count, native(r.scalar), native(r.merge), static_cast<int>(r.root), handle_,
                         native(on)),
         "ncclReduce");
  }

  void all_gather(const void* from, void* to, std::size_t bytes, gpu_stream on) override
  {
    begin(on);
    if (failed_) return;
    take(library_.all_gather(from, to, bytes, ncclInt8, handle_, native(on)), "ncclAllGather");
  }

  collective_status poll() override
  {
    Expects(failed_ || stage_ != stage::idle);
    if (failed_) return collective_status::failed;
    try {
      // NCCL may still be about to enqueue: an event recorded before it has would come too early.
      if (stage_ == stage::issuing && has_settled(doing_)) {
        on_.record(done_.get(), stream_);
        stage_ = stage::running;
      }
      if (stage_ == stage::running) {
        const bool finished = on_.ready(done_.get());
        (void)has_settled(doing_);  // an error makes the kernels end too
        if (finished && !failed_) stage_ = stage::done;
      }
    } catch (const gpu_error& e) {
      fail(e.what());
    }
    if (failed_) return collective_status::failed;
    return stage_ == stage::done ? collective_status::done : collective_status::under_way;
  }

  void abort() noexcept override
  {
    if (!failed_) why_ = {make_error_code(errc::device_failed), "the communicator was aborted"};
    failed_ = true;
    end();
  }

  const failure& why() const noexcept override { return why_; }

 private:
  enum class stage { idle, issuing, running, done };

  void begin(gpu_stream on)
  {
    Expects(stage_ == stage::idle || stage_ == stage::done);
    stage_ = stage::issuing;
    stream_ = on;
  }

  /// Takes note of what a call of NCCL's gave.
  void take(ncclResult_t gave, const char* doing)
  {
    doing_ = doing;
    if (gave != ncclSuccess && gave != ncclInProgress) fail(gave, doing);
  }

  /// Whether NCCL is through with what the last call has begun, well or not.
  [[nodiscard]] bool has_settled(const char* doing)
  {
    auto state = ncclInternalError;
    const auto asked = library_.comm_get_async_error(handle_, &state);
    if (asked != ncclSuccess) {
      fail(asked, "ncclCommGetAsyncError");
    } else if (state != ncclSuccess && state != ncclInProgress) {
      fail(state, doing);
    }
    return failed_ || state == ncclSuccess;
  }

  void fail(ncclResult_t error, const char* doing)
  {
    const auto* last = library_.get_last_error(handle_);
    auto text = std::string{doing} + ": " + library_.get_error_string(error);
    if (last != nullptr && *last != '\0') text += std::string{" ("} + last + ")";
    fail(text);
  }
  void fail(const std::string& text)
  {
    failed_ = true;
    why_ = {make_error_code(errc::device_failed), text + ", rank " + std::to_string(rank_) + " of " +
                                                      std::to_string(ranks_) + ", epoch " + std::to_string(epoch_)};
    std::replace(why_.detail.begin(), why_.detail.end(), '\n', ' ');
  }

  /// Always by abort: the one way to end that needs no other rank.
  void end() noexcept
  {
    if (handle_ == nullptr) return;
    const auto gave = library_.comm_abort(std::exchange(handle_, nullptr));
    if (gave != ncclSuccess && gave != ncclInProgress) {
      try {
        log_line(log_level::warning, std::string{"ncclCommAbort: "} + library_.get_error_string(gave));
      } catch (const std::bad_alloc&) {  // then it is not told
      }
    }
  }

  const nccl_library& library_;
  gpu& on_;
  gpu_handle<gpu_event> done_;
  ncclComm_t handle_ = nullptr;
  std::size_t ranks_;
  std::uint32_t rank_;
  std::uint64_t epoch_;
  stage stage_ = stage::idle;
  const char* doing_ = "";
  gpu_stream stream_ = nullptr;
  bool failed_ = false;
  failure why_;
};

class nccl_communicators final : public communicators {
 public:
  nccl_communicators(gpu& on, const nccl_library* library) : on_{on}, library_{library} {}

  result<communicator_id> make_id() override
  {
    if (const auto* why = load()) return *why;
    ncclUniqueId made;
    if (const auto gave = library_->get_unique_id(&made); gave != ncclSuccess) {
      return failure{make_error_code(errc::device_failed),
                     std::string{"ncclGetUniqueId: "} + library_->get_error_string(gave)};
    }
    communicator_id id;
    std::memcpy(id.bytes.data(), made.internal, sizeof made.internal);
    return id;
  }

  result<std::unique_ptr<communicator>> join(const membership& group, member_id me) override
  {
    if (const auto* why = load()) return *why;
    try {
      return std::unique_ptr<communicator>{std::make_unique<nccl_communicator>(*library_, on_, group, me)};
    } catch (const gpu_error& e) {
      return failure{make_error_code(errc::device_failed), e.what()};
    }
  }

 private:
  /// @return  Why there is none; null where there is.
  [[nodiscard]] const failure* load()
  {
    if (library_ != nullptr) return nullptr;
    const auto& loaded = nccl();
    if (!loaded) return &loaded.error();
    library_ = &loaded.value();
    return nullptr;
  }

  gpu& on_;
  const nccl_library* library_;
};

}  // namespace

std::unique_ptr<communicators> make_nccl_communicators(gpu& on)
{
  return std::make_unique<nccl_communicators>(on, nullptr);
}

std::unique_ptr<communicators> make_nccl_communicators(gpu& on, const nccl_library& library)
{
  return std::make_unique<nccl_communicators>(on, &library);
}

}  // namespace fastgpu::inline v0::detail
