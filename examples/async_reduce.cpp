#include <cstdint>
#include <cstdio>
#include <exception>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fastgpu/asio/asio.hpp>
#include <fastgpu/fastgpu.hpp>

struct inside_circle {
  FASTGPU_HD std::uint64_t operator()(std::uint64_t i) const
  {
    const auto [x, y] = fastgpu::uniform2(/*seed*/ 42, i);
    return x * x + y * y < 1.0 ? 1 : 0;
  }
};
FASTGPU_REGISTER("example.inside_circle", inside_circle)

boost::asio::awaitable<void> estimate_pi(fastgpu::cluster& cluster)
{
  const std::uint64_t n = 100'000'000;
  const auto hits = co_await fastgpu::async_reduce(cluster, n, inside_circle{}, fastgpu::sum<std::uint64_t>{},
                                                   boost::asio::use_awaitable);
  std::printf("pi is about %.6f\n", 4.0 * static_cast<double>(hits) / n);
}

int main()
{
  fastgpu::cluster cluster;
  boost::asio::io_context io;
  boost::asio::co_spawn(io, estimate_pi(cluster), [](std::exception_ptr failed) {
    if (failed) std::rethrow_exception(failed);  // out of io.run()
  });
  io.run();  // meanwhile this thread serves whatever else runs on the context
}
