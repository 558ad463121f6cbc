// The E-step without threads of its own, for those who have some.
#pragma once

#include "gaussmix/kernel.hpp"
#include "workers.hpp"

namespace gaussmix {

// Add the sums over all rows to `sums`; where `stop` was requested they are not all of them.
void sums_on_this_thread(const Rows<double> &rows, const Components &components, Sums &sums, Stop &stop);

} // namespace gaussmix
