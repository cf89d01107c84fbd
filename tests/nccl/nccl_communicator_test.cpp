#include "nccl/nccl_communicator.hpp"  // first: shows that the header stands alone

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nccl/nccl_library.hpp"
#include "support/fake_gpu.hpp"

namespace {

using fastgpu::detail::collective_status;
using fastgpu::detail::communicator;
using fastgpu::detail::communicator_status;
using fastgpu::detail::member_id;
using fastgpu::detail::membership;
using fastgpu::detail::merge_kind;
using fastgpu::detail::nccl_library;
using fastgpu::detail::scalar_kind;
using testing::ElementsAre;
using testing::HasSubstr;

/// What a communicator asked of NCCL, and what NCCL answers.
struct script {
  ncclResult_t init = ncclInProgress;
  ncclResult_t call = ncclInProgress;
  ncclResult_t state = ncclInProgress;
  std::string last_error;

  std::vector<std::string> calls;
  int ranks = 0;
  int rank = -1;
  int blocking = -1;
  char id_first = 0;
  std::size_t count = 0;
  ncclDataType_t type = ncclNumTypes;
  ncclRedOp_t operation = ncclNumOps;
  int root = -1;
};
script now;  // NCCL's functions have no object

nccl_library scripted_library()
{
  nccl_library l;
  l.version = 22809;
  l.get_unique_id = [](ncclUniqueId* id) {
    *id = {};
    id->internal[0] = 'u';
    return ncclSuccess;
  };
  l.comm_init_rank_config = [](ncclComm_t* handle, int ranks, ncclUniqueId id, int rank, ncclConfig_t* config) {
    *handle = reinterpret_cast<ncclComm_t>(&now);
    now.calls.push_back("init");
    now.ranks = ranks;
    now.rank = rank;
    now.blocking = config->blocking;
    now.id_first = id.internal[0];
    return now.init;
  };
  l.comm_get_async_error = [](ncclComm_t, ncclResult_t* state) {
    *state = now.state;
    return ncclSuccess;
  };
  l.comm_abort = [](ncclComm_t) {
    now.calls.push_back("abort");
    return ncclSuccess;
  };
  l.reduce = [](const void*, void*, std::size_t count, ncclDataType_t type, ncclRedOp_t operation, int root, ncclComm_t,
                cudaStream_t) {
    now.calls.push_back("reduce");
    now.count = count;
    now.type = type;
    now.operation = operation;
    now.root = root;
    return now.call;
  };
  l.all_gather = [](const void*, void*, std::size_t count, ncclDataType_t type, ncclComm_t, cudaStream_t) {
    now.calls.push_back("all_gather");
    now.count = count;
    now.type = type;
    return now.call;
  };
  l.get_error_string = [](ncclResult_t error) { return error == ncclRemoteError ? "remote error" : "an error"; };
  l.get_last_error = [](ncclComm_t) { return now.last_error.c_str(); };
  return l;
}

class NcclCommunicator : public testing::Test {
 protected:
  NcclCommunicator() { now = {}; }

  void join()
  {
    auto made = maker->join(three, {30});
    ASSERT_TRUE(made);
    end = std::move(made).value();
  }
  void join_and_reduce()
  {
    join();
    now.state = ncclSuccess;
    ASSERT_EQ(end->status(), communicator_status::ready);
    now.state = ncclInProgress;
    end->reduce({.from = from, .to = to, .count = 4, .root = 1}, stream);
  }
  collective_status poll_often()
  {
    auto status = end->poll();
    for (int i = 0; i < 100 && status == collective_status::under_way; ++i) status = end->poll();
    return status;
  }

  support::fake_gpu gpu;
  fastgpu::detail::gpu_stream stream = gpu.create_stream();
  nccl_library library = scripted_library();
  std::unique_ptr<fastgpu::detail::communicators> maker = fastgpu::detail::make_nccl_communicators(gpu, library);
  membership three{7, {{10}, {20}, {30}}, {}};
  std::unique_ptr<communicator> end;
  std::int64_t from[4] = {};
  std::int64_t to[4] = {};
};

TEST_F(NcclCommunicator, StartsWithoutBlockingWithItsPlaceAsRank)
{
  three.id.bytes[0] = std::byte{'x'};
  join();
  EXPECT_EQ(now.ranks, 3);
  EXPECT_EQ(now.rank, 2);
  EXPECT_EQ(now.blocking, 0);
  EXPECT_EQ(now.id_first, 'x');
  EXPECT_EQ(end->status(), communicator_status::starting);
  now.state = ncclSuccess;
  EXPECT_EQ(end->status(), communicator_status::ready);
}

TEST_F(NcclCommunicator, GivesAwayTheIdThatNcclMade)
{
  EXPECT_EQ(maker->make_id().value().bytes[0], std::byte{'u'});
}

TEST_F(NcclCommunicator, ThatCannotStartSaysWhyWithItsPlaceAndEpoch)
{
  join();
  now.state = ncclRemoteError;
  now.last_error = "connection\nclosed";
  EXPECT_EQ(end->status(), communicator_status::failed);
  EXPECT_EQ(end->why().code, fastgpu::errc::device_failed);
  EXPECT_EQ(end->why().detail,
            "the communicator's start: remote error (connection closed), rank 2 of 3, epoch 7");
}

TEST_F(NcclCommunicator, PassesOnWhatIsReducedHowAndWhere)
{
  join();
  now.state = ncclSuccess;
  end->reduce({.from = from, .to = to, .count = 3, .scalar = scalar_kind::uint32, .merge = merge_kind::maximum,
               .root = 1},
              stream);
  EXPECT_EQ(now.count, 3u);
  EXPECT_EQ(now.type, ncclUint32);
  EXPECT_EQ(now.operation, ncclMax);
  EXPECT_EQ(now.root, 1);
  EXPECT_EQ(poll_often(), collective_status::done);

  end->reduce({.from = from, .to = to, .count = 4, .scalar = scalar_kind::float64, .merge = merge_kind::sum}, stream);
  EXPECT_EQ(now.type, ncclFloat64);
  EXPECT_EQ(now.operation, ncclSum);
  EXPECT_EQ(now.root, 0);
  EXPECT_EQ(poll_often(), collective_status::done);

  end->all_gather(from, to, 8, stream);
  EXPECT_EQ(now.count, 8u);
  EXPECT_EQ(now.type, ncclInt8);
  EXPECT_EQ(poll_often(), collective_status::done);
  EXPECT_THAT(now.calls, ElementsAre("init", "reduce", "reduce", "all_gather"));
}

TEST_F(NcclCommunicator, IsNotDoneBeforeNcclHasEnqueuedTheWork)
{
  join_and_reduce();
  EXPECT_EQ(poll_often(), collective_status::under_way);  // the stream is empty, so an event would be ready
  now.state = ncclSuccess;
  EXPECT_EQ(poll_often(), collective_status::done);
}

TEST_F(NcclCommunicator, IsNotDoneBeforeTheStreamHasComeToTheEnd)
{
  bool ran = false;
  join_and_reduce();
  support::fake_gpu::enqueue_kernel(stream, [&] { ran = true; });  // the collective's
  now.state = ncclSuccess;
  EXPECT_EQ(poll_often(), collective_status::done);
  EXPECT_TRUE(ran);
}

TEST_F(NcclCommunicator, FailsWithWhatAnotherRankDidToIt)
{
  join_and_reduce();
  EXPECT_EQ(end->poll(), collective_status::under_way);
  now.state = ncclRemoteError;
  EXPECT_EQ(end->poll(), collective_status::failed);
  EXPECT_EQ(end->why().detail, "ncclReduce: remote error, rank 2 of 3, epoch 7");
  now.state = ncclSuccess;
  EXPECT_EQ(end->poll(), collective_status::failed);  // and stays so
}

TEST_F(NcclCommunicator, FailsWhereTheCallIsRefused)
{
  now.call = ncclInvalidUsage;
  join_and_reduce();
  EXPECT_EQ(end->poll(), collective_status::failed);
  EXPECT_THAT(end->why().detail, HasSubstr("ncclReduce: an error"));
}

TEST_F(NcclCommunicator, FailsWithItsGpu)
{
  support::fake_gpu sick{{.lost_after = 1}};
  const auto on = sick.create_stream();
  auto made = fastgpu::detail::make_nccl_communicators(sick, library)->join(three, {10});
  ASSERT_TRUE(made);
  end = std::move(made).value();
  now.state = ncclSuccess;
  end->reduce({.from = from, .to = to, .count = 4}, on);
  support::fake_gpu::enqueue_kernel(on, [] {});
  EXPECT_EQ(poll_often(), collective_status::failed);
  EXPECT_THAT(end->why().detail, HasSubstr("illegal address"));
  end.reset();
}

TEST_F(NcclCommunicator, EndsByAbortOnce)
{
  join_and_reduce();
  end->abort();
  EXPECT_EQ(end->poll(), collective_status::failed);
  EXPECT_EQ(end->status(), communicator_status::failed);
  end.reset();
  EXPECT_THAT(now.calls, ElementsAre("init", "reduce", "abort"));
}

TEST_F(NcclCommunicator, EndsByAbortWhereNobodyAskedForIt)
{
  join();
  end.reset();
  EXPECT_THAT(now.calls, ElementsAre("init", "abort"));
}

}  // namespace
