#pragma once

/// @file
/// All of fastgpu, but for the headers that name Boost (asio/) or CUDA (cuda/).

#include <fastgpu/aggregate/aggregate.hpp>
#include <fastgpu/aggregate/operations.hpp>
#include <fastgpu/assign/policy.hpp>
#include <fastgpu/cluster/cluster.hpp>
#include <fastgpu/data.hpp>
#include <fastgpu/decompose/subtasks.hpp>
#include <fastgpu/device/device_info.hpp>
#include <fastgpu/error.hpp>
#include <fastgpu/execute/execute.hpp>
#include <fastgpu/functions.hpp>
#include <fastgpu/job.hpp>
#include <fastgpu/model/formulas.hpp>
#include <fastgpu/model/measure.hpp>
#include <fastgpu/model/prediction.hpp>
#include <fastgpu/model/priority_queue.hpp>
#include <fastgpu/observe/log.hpp>
#include <fastgpu/random.hpp>
#include <fastgpu/register.hpp>
#include <fastgpu/run.hpp>
#include <fastgpu/team.hpp>
