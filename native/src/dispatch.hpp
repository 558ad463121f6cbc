// Which instruction set's functions are called.
#pragma once

#include "block.hpp"

namespace gaussmix {

template <typename Real> BlockFunctions<Real> chosen_functions();

} // namespace gaussmix
