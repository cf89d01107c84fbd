#include <fastgpu/cluster/cluster.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fastgpu/error.hpp>

#include "cluster/cluster_core.hpp"
#include "cluster/device_list.hpp"

namespace fastgpu::inline v0 {

cluster::cluster() : cluster{cluster_options{}} {}

cluster::cluster(std::string_view devices) : cluster{cluster_options{.devices = std::string{devices}}} {}

namespace {

/// Each device of the list, `*K` spelt out.
std::vector<std::string> items_of(const std::string& list)
{
  std::vector<std::string> items;
  for (std::size_t begin = 0; begin <= list.size();) {
    const auto end = std::min(list.find(',', begin), list.size());
    const auto item = list.substr(begin, end - begin);
    const auto star = std::min(item.find('*'), item.size());
    unsigned copies = 1;
    if (star < item.size()) (void)std::from_chars(item.data() + star + 1, item.data() + item.size(), copies);
    items.insert(items.end(), copies, item.substr(0, star));
    begin = end + 1;
  }
  return items;
}

std::vector<std::unique_ptr<detail::device>> own_devices(const cluster_options& options)
{
  auto devices = detail::make_devices(options.devices, options.gpu);  // which also says what is wrong with the list
  if (options.isolate == isolation::process) devices.clear();
  return devices;
}

}  // namespace

cluster::cluster(const cluster_options& options) : core_{new detail::cluster_core{own_devices(options), options}}
{
  if (options.isolate == isolation::none) return;
  if (std::getenv(detail::worker_mark) != nullptr) {
    throw error{errc::invalid_argument, "isolation::process: this is a child already; main() must begin with run_as_worker()"};
  }
  for (const auto& item : items_of(options.devices)) {
    detail::node_link_options worker;
    worker.address = item.empty() ? "worker" : item;
    worker.limits = detail::worker_limits();
    worker.worker = detail::worker_of(options, options.worker_program, item, worker.address);
    core_->directory().add(std::move(worker));
  }
}

cluster::cluster(cluster&&) noexcept = default;
cluster& cluster::operator=(cluster&&) noexcept = default;
cluster::~cluster() = default;

node_id cluster::add_node(const std::string& address, const credentials& as)
{
  return core_->directory().add(
      {.address = address, .credentials = as, .limits = core_->node_limits(), .worker = {}});
}

node_id cluster::add_node(const std::string& address)
{
  return core_->directory().add(
      {.address = address, .credentials = {}, .limits = core_->node_limits(), .worker = {}});
}

std::string cluster::accept_nodes(const std::string& listen, const credentials& as)
{
  return core_->directory().accept(listen, as, core_->node_limits());
}

std::string cluster::accept_nodes(const std::string& listen)
{
  return core_->directory().accept(listen, std::nullopt, core_->node_limits());
}

std::vector<device_info> cluster::devices() const { return core_->describe_all(); }

}  // namespace fastgpu::inline v0
