#pragma once

/// How many kernels have been registered: kernels.cpp has one, which nothing else names.
inline int registered = 0;
