#include "dispatch.hpp"

#include <atomic>
#include <string>
#include <vector>

namespace gaussmix {
namespace {

struct InstructionSet {
    const char *name;
    BlockFunctions functions;
};

// Best first.
std::vector<InstructionSet> available() {
    std::vector<InstructionSet> sets;
#if defined(GAUSSMIX_X86)
    __builtin_cpu_init();
    const bool fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (fma && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
        sets.push_back({"avx512", avx512::block_functions()});
    if (fma)
        sets.push_back({"avx2", avx2::block_functions()});
#endif
    sets.push_back({"baseline", baseline::block_functions()});
    return sets;
}

const std::vector<InstructionSet> &all() {
    static const std::vector<InstructionSet> sets = available();
    return sets;
}

std::atomic<size_t> chosen{0};

} // namespace

const BlockFunctions &chosen_functions() {
    return all()[chosen].functions;
}

std::string instruction_set() {
    return all()[chosen].name;
}

std::vector<std::string> instruction_sets() {
    std::vector<std::string> names;
    for (const InstructionSet &set : all())
        names.emplace_back(set.name);
    return names;
}

bool use_instruction_set(const std::string &name) {
    for (size_t i = 0; i < all().size(); ++i)
        if (name == all()[i].name) {
            chosen = i;
            return true;
        }
    return false;
}

} // namespace gaussmix
