#pragma once

namespace gaussmix {

// Checks precision factors, and steps of several mixtures, with the instruction set in use.
void test_climbs();

} // namespace gaussmix
