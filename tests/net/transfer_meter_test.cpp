#include "net/transfer_meter.hpp"  // first: shows that the header stands alone

#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

#include "net/connection.hpp"
#include "net/outbox.hpp"
#include "net/self.hpp"
#include "net/socket.hpp"

namespace {

namespace net = fastgpu::detail;
using fastgpu::seconds;
using net::transfer_meter;

TEST(TransferMeter, CountsOverlappingPayloadsOnce)
{
  transfer_meter m;
  m.began(seconds{1.0});
  m.began(seconds{2.0});
  EXPECT_EQ(m.under_way_s(seconds{3.0}), 2);
  m.ended(seconds{4.0});
  m.ended(seconds{5.0});
  EXPECT_EQ(m.under_way_s(seconds{9.0}), 4);
  m.began(seconds{10.0});
  m.ended(seconds{11.0});
  EXPECT_EQ(m.under_way_s(seconds{12.0}), 5);
}

TEST(TransferMeter, GoesOnAfterACut)
{
  transfer_meter m;
  m.began(seconds{1.0});
  m.cut(seconds{3.0});
  m.ended(seconds{7.0});  // of the session that is over
  EXPECT_EQ(m.under_way_s(seconds{9.0}), 2);
  m.began(seconds{10.0});
  m.ended(seconds{11.0});
  EXPECT_EQ(m.under_way_s(seconds{12.0}), 3);
}

TEST(TransferMeter, OfAnOutboxEndsWhereAPayloadHasLeftTheSocket)
{
  net::outbox out{{.piece_bytes = 100, .window_bytes = 1000}};
  out.release_messages();
  const auto meter = std::make_shared<transfer_meter>();
  out.add(net::job_data_piece{}, std::make_shared<const net::payload>(250), meter);
  out.add(net::job_data_piece{}, std::make_shared<const net::payload>(), meter);  // of nothing
  const auto taken = out.take(seconds{1.0});
  ASSERT_TRUE(taken);
  EXPECT_EQ(meter->bytes(), 250);
  EXPECT_FALSE(out.waits_for_socket());
  out.written(taken->size() - 200);
  EXPECT_FALSE(out.waits_for_socket());
  out.written(200);
  EXPECT_TRUE(out.waits_for_socket());
  out.in_socket(150, seconds{2.0});
  EXPECT_TRUE(out.waits_for_socket());
  out.in_socket(0, seconds{3.0});
  EXPECT_FALSE(out.waits_for_socket());
  EXPECT_EQ(meter->under_way_s(seconds{9.0}), 2);
}

TEST(TransferMeter, OfAnOutboxKnowsOnlyWhatWent)
{
  net::outbox out{{.piece_bytes = 100, .window_bytes = 150}};
  out.release_messages();
  const auto meter = std::make_shared<transfer_meter>();
  out.add(net::job_data_piece{}, std::make_shared<const net::payload>(1000), meter);
  const auto taken = out.take(seconds{1.0});
  ASSERT_TRUE(taken);
  EXPECT_LT(meter->bytes(), 300);
  out.finish();
  out.written(taken->size());
  EXPECT_FALSE(out.waits_for_socket());
}

struct owner final : net::connection_owner {
  void opened(net::connection&) override { open.set_value(); }
  void received(net::connection& which, net::message&&, net::payload&& bytes) override
  {
    took_s = which.payload_took_s();
    got.set_value(bytes.size());
  }
  void suspected(net::connection&, bool) override {}
  void closed(net::connection&, const fastgpu::failure&) override {}
  std::promise<void> open;
  std::promise<std::size_t> got;
  double took_s = -1;
};

/// Two ends of a socket pair, each with a thread of its own.
struct pair_of_ends {
  net::network here;
  net::network there;
  owner my_owner;
  owner their_owner;
  std::unique_ptr<net::connection> mine;
  std::unique_ptr<net::connection> theirs;

  pair_of_ends()
  {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    auto client = net::this_process("me");
    client.wanted = net::role::submit;
    auto server = net::this_process("them");
    server.server = true;
    there.run([&] {
      theirs = std::make_unique<net::connection>(
          there, net::adopt_socket(there.io(), ends[1], {"me", net::role::submit}), server, their_owner);
    });
    here.run([&] {
      mine = std::make_unique<net::connection>(
          here, net::adopt_socket(here.io(), ends[0], {"them", net::role::node}), client, my_owner);
    });
    EXPECT_EQ(my_owner.open.get_future().wait_for(std::chrono::seconds{20}), std::future_status::ready);
    EXPECT_EQ(their_owner.open.get_future().wait_for(std::chrono::seconds{20}), std::future_status::ready);
  }
  ~pair_of_ends()
  {
    here.run([&] { mine.reset(); });
    there.run([&] { theirs.reset(); });
  }

  /// Sends so much while the other end does nothing for so long. @return  For how long it was under way
  double send(std::size_t bytes, std::chrono::milliseconds deaf)
  {
    const auto meter = std::make_shared<transfer_meter>();
    std::promise<void> sleeps;
    there.post([&] {
      sleeps.set_value();
      std::this_thread::sleep_for(deaf);
    });
    sleeps.get_future().wait();
    here.run([&] { mine->send(net::job_data_piece{}, std::make_shared<const net::payload>(bytes), meter); });
    EXPECT_EQ(their_owner.got.get_future().get(), bytes);
    std::this_thread::sleep_for(std::chrono::milliseconds{50});  // it is looked at now and then
    double took_s = 0;
    here.run([&] {
      EXPECT_EQ(meter->bytes(), bytes);
      took_s = meter->under_way_s(here.now());
      EXPECT_EQ(meter->under_way_s(seconds{here.now().count + 100}), took_s);
    });
    return took_s;
  }
};

TEST(TransferMeter, KnowsWhatIsStillInTheSocket)
{
  pair_of_ends ends;
  const auto took_s = ends.send(50'000, std::chrono::milliseconds{200});  // less than a socket's buffer
  EXPECT_GE(took_s, 0.19);
  EXPECT_LT(took_s, 1);
}

TEST(TransferMeter, KnowsWhatDoesNotFitIntoTheSocket)
{
  pair_of_ends ends;
  const auto took_s = ends.send(20'000'000, std::chrono::milliseconds{100});
  EXPECT_GE(took_s, 0.09);
  EXPECT_GT(ends.their_owner.took_s, 0);
  EXPECT_LT(ends.their_owner.took_s, took_s);
}

}  // namespace
