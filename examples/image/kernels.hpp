#pragma once

#include "image/edges.hpp"
#include "image/geometry.hpp"
#include "image/pixel.hpp"
#include "image/windows.hpp"

/// @file
/// The kernels of the image example.
///
/// Filters read a slice whose border is already filled (each says how wide and with what), so none of
/// them tests for the picture's edge; where the result has another shape, the kernel reads the whole
/// picture. Pixels are 8 bit: `std::uint8_t` for grey, `rgb` for colour, treated channel by channel
/// unless a kernel says otherwise. All arithmetic but the Gaussian's is in integers and exact before
/// one last rounding, so results are the same on every device.
