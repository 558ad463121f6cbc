// Threads of our own.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace gaussmix {

using BlockWork = std::function<void(int64_t block, const std::atomic<bool> &stop)>;

// Threads that take block after block until none is left.
class Workers {
  public:
    Workers(int64_t blocks, int n_threads, const BlockWork &on_block) : n_blocks(blocks), work(on_block) {
        for (int i = 0; i < n_threads; ++i)
            threads.emplace_back([this] { run(); });
    }

    // Wait until all is done, asking `interrupted` from this thread now and then.
    bool wait(const std::function<bool()> &interrupted) {
        std::unique_lock lock(mutex);
        while (!finished.wait_for(lock, std::chrono::milliseconds(50),
                                  [this] { return ended == int(threads.size()); })) {
            lock.unlock();
            if (interrupted())
                stop = true;
            lock.lock();
        }
        lock.unlock();
        for (std::thread &thread : threads)
            thread.join();
        threads.clear();
        if (error)
            std::rethrow_exception(error);
        return !stop;
    }

  private:
    void run() {
        try {
            for (int64_t block; !stop && (block = next++) < n_blocks;)
                work(block, stop);
        } catch (...) {
            const std::lock_guard lock(mutex);
            error = std::current_exception();
            stop = true;
        }
        const std::lock_guard lock(mutex);
        ++ended;
        finished.notify_one();
    }

    const int64_t n_blocks;
    const BlockWork &work;
    std::atomic<int64_t> next{0};
    std::atomic<bool> stop{false};
    std::mutex mutex;
    std::condition_variable finished;
    int ended = 0;
    std::exception_ptr error;
    std::vector<std::thread> threads;
};

// Do all blocks on up to `n_threads` threads; a single block on this one. False if interrupted.
inline bool do_blocks(int64_t n_blocks, int n_threads, const BlockWork &work,
                      const std::function<bool()> &interrupted) {
    if (n_blocks == 1) {
        work(0, std::atomic<bool>{false});
        return true;
    }
    const int useful = int(std::min<int64_t>(std::max(n_threads, 1), n_blocks));
    return Workers(n_blocks, useful, work).wait(interrupted);
}

} // namespace gaussmix
