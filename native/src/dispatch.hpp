// Which instruction set's functions are called.
#pragma once

#include "block.hpp"

namespace gaussmix {

template <typename Real> BlockSums<Real> chosen_block_sums();

} // namespace gaussmix
