// Threads of our own: the calling one and as many more as are wanted take block after block.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace gaussmix {

// Whether to stop early, asked by every thread between tiles. On the calling thread it asks the
// caller, too, several times a second.
class Stop {
  public:
    Stop(std::atomic<bool> &shared, const std::function<bool()> *caller)
        : flag(shared), interrupted(caller), next(Clock::now() + POLL) {}

    bool requested() {
        if (interrupted != nullptr && Clock::now() >= next) {
            next = Clock::now() + POLL;
            if ((*interrupted)())
                flag = true;
        }
        return flag.load(std::memory_order_relaxed);
    }

  private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds POLL{50};

    std::atomic<bool> &flag;
    const std::function<bool()> *interrupted; // null on other threads
    Clock::time_point next;
};

using BlockWork = std::function<void(int64_t block, Stop &stop)>;

// Do all blocks on up to `n_threads` threads. False if the caller interrupted. The calling thread
// works as well: where all processors are taken by our threads, one that only waits would make the
// system put two of them on one processor at first.
inline bool do_blocks(int64_t n_blocks, int n_threads, const BlockWork &work,
                      const std::function<bool()> &interrupted) {
    std::atomic<int64_t> next{0};
    std::atomic<bool> flag{false};
    std::mutex mutex;
    std::exception_ptr error;
    const auto run = [&](const std::function<bool()> *caller) {
        Stop stop(flag, caller);
        try {
            for (int64_t block; !stop.requested() && (block = next++) < n_blocks;)
                work(block, stop);
        } catch (...) {
            const std::lock_guard lock(mutex);
            error = std::current_exception();
            flag = true;
        }
    };
    const int64_t wanted = std::min<int64_t>(n_threads, n_blocks) - 1;
    std::vector<std::thread> helpers;
    helpers.reserve(size_t(std::max<int64_t>(wanted, 0)));
    try {
        for (int64_t i = 0; i < wanted; ++i)
            helpers.emplace_back(run, nullptr);
    } catch (const std::system_error &) {
        // The system gives no more threads: those that there are do the work.
    }
    run(&interrupted);
    for (std::thread &helper : helpers)
        helper.join();
    if (error)
        std::rethrow_exception(error);
    return !flag;
}

} // namespace gaussmix
