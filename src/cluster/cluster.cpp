#include <fastgpu/cluster/cluster.hpp>

#include "cluster/cluster_core.hpp"
#include "cluster/device_list.hpp"

namespace fastgpu::inline v0 {

cluster::cluster() : cluster{cluster_options{}} {}

cluster::cluster(std::string_view devices) : cluster{cluster_options{.devices = std::string{devices}}} {}

cluster::cluster(const cluster_options& options)
    : core_{new detail::cluster_core{detail::make_devices(options.devices, options.gpu), options}}
{
}

cluster::cluster(cluster&&) noexcept = default;
cluster& cluster::operator=(cluster&&) noexcept = default;
cluster::~cluster() = default;

node_id cluster::add_node(const std::string& address, const credentials& as)
{
  return core_->directory().add({.address = address, .credentials = as, .limits = core_->node_limits()});
}

node_id cluster::add_node(const std::string& address)
{
  return core_->directory().add({.address = address, .credentials = {}, .limits = core_->node_limits()});
}

std::vector<device_info> cluster::devices() const { return core_->describe_all(); }

}  // namespace fastgpu::inline v0
