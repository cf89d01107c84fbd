#include "net/network.hpp"  // first: shows that the header stands alone

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace {

using fastgpu::detail::network;

TEST(Network, TellsWhatItsWorkThrows)
{
  network net;
  try {
    net.run([] { throw std::runtime_error{"as it was told"}; });
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::runtime_error& e) {
    EXPECT_EQ(std::string{e.what()}, "as it was told");
  }
  bool there = false;
  net.run([&] { there = net.on_thread(); });  // it goes on
  EXPECT_TRUE(there);
}

TEST(Network, StaysUntilTheLastHasLeft)
{
  for (int i = 0; i < 300; ++i) {
    auto net = std::make_unique<network>();
    net->enter();
    net->enter();
    std::thread first{[&on = *net] { on.leave(); }};
    std::thread last{[&on = *net] {
      on.post([] {});
      on.leave();
    }};
    net.reset();
    first.join();
    last.join();
  }
}

}  // namespace
