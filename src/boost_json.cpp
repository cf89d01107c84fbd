// Boost.JSON, compiled here once, so that an installed fastgpu needs no Boost library. Nothing else belongs
// into this file: a linker that has Boost.JSON from elsewhere then leaves this object out of the archive.
#include <boost/json/src.hpp>
