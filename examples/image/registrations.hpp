#pragma once

#include <fastgpu/job.hpp>

#include "image/kernels.hpp"

/// @file
/// The names of the image kernels: with them, a compiler that knows GPUs builds them for those too.

namespace image {

FASTGPU_REGISTER("example.image.mean.grey", mean<std::uint8_t>)
FASTGPU_REGISTER("example.image.mean.rgb", mean<rgb>)
FASTGPU_REGISTER("example.image.gaussian.grey", gaussian<std::uint8_t>)
FASTGPU_REGISTER("example.image.gaussian.rgb", gaussian<rgb>)
FASTGPU_REGISTER("example.image.rounded.grey", rounded<std::uint8_t>)
FASTGPU_REGISTER("example.image.rounded.rgb", rounded<rgb>)
FASTGPU_REGISTER("example.image.sobel.grey", sobel<std::uint8_t>)
FASTGPU_REGISTER("example.image.sobel.rgb", sobel<rgb>)
FASTGPU_REGISTER("example.image.canny_classes.grey", canny_classes<std::uint8_t>)
FASTGPU_REGISTER("example.image.canny_classes.rgb", canny_classes<rgb>)
FASTGPU_REGISTER("example.image.dilate.grey", dilate<std::uint8_t>)
FASTGPU_REGISTER("example.image.dilate.rgb", dilate<rgb>)
FASTGPU_REGISTER("example.image.erode.grey", erode<std::uint8_t>)
FASTGPU_REGISTER("example.image.erode.rgb", erode<rgb>)
FASTGPU_REGISTER("example.image.resize.grey", resize<std::uint8_t>)
FASTGPU_REGISTER("example.image.resize.rgb", resize<rgb>)
FASTGPU_REGISTER("example.image.rotate.grey", rotate<std::uint8_t>)
FASTGPU_REGISTER("example.image.rotate.rgb", rotate<rgb>)
FASTGPU_REGISTER("example.image.quarter_turns.grey", quarter_turns<std::uint8_t>)
FASTGPU_REGISTER("example.image.quarter_turns.rgb", quarter_turns<rgb>)
FASTGPU_REGISTER("example.image.flip.grey", flip<std::uint8_t>)
FASTGPU_REGISTER("example.image.flip.rgb", flip<rgb>)
FASTGPU_REGISTER("example.image.label_tile", label_tile)

}  // namespace image
