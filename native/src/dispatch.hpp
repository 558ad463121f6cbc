// Which instruction set runs.
#pragma once

#include "block.hpp"

namespace gaussmix {

// The functions of the instruction set in use.
const BlockFunctions &chosen_functions();

} // namespace gaussmix
