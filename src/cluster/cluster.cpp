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

std::vector<device_info> cluster::devices() const { return core_->describe(); }

}  // namespace fastgpu::inline v0
