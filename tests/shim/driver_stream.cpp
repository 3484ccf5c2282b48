// Streams and events.
#include "driver.h"

using namespace shim;

SHIM_EXPORT CUresult cuStreamCreate(CUstream* handle, unsigned flags) {
    return in_current_context([&](Context& context) {
        if (flags > CU_STREAM_NON_BLOCKING) return CUDA_ERROR_INVALID_VALUE;
        auto stream = std::make_shared<Stream>(context, flags != CU_STREAM_NON_BLOCKING);
        *handle = stream.get();
        context.streams.push_back(stream);
        driver().streams[stream.get()] = std::move(stream);
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuStreamCreateWithPriority(CUstream* handle, unsigned flags, int) {
    return cuStreamCreate(handle, flags);
}

// Work that is left in the stream still runs some time.
SHIM_EXPORT CUresult cuStreamDestroy_v2(CUstream handle) {
    return on_stream(handle, [&](Stream& stream) {
        return driver().streams.erase(&stream) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
    });
}

SHIM_EXPORT CUresult cuStreamSynchronize(CUstream handle) {
    return on_stream(handle, [](Stream& stream) {
        if (stream.context.default_stream.get() == &stream) stream.enqueue([] {});  // waits for the blocking streams
        stream.context.finish(stream.end());
        return CUDA_SUCCESS;
    });
}

// Who asks again and again sees the work advance.
SHIM_EXPORT CUresult cuStreamQuery(CUstream handle) {
    return on_stream(handle, [](Stream& stream) {
        if (stream.queue.empty()) return CUDA_SUCCESS;
        stream.context.advance();
        return CUDA_ERROR_NOT_READY;
    });
}

namespace {

template <class Body>
CUresult on_event(CUevent handle, Body&& body) {
    std::lock_guard lock(driver().mutex);
    if (!driver().initialised) return CUDA_ERROR_NOT_INITIALIZED;
    Event* event = find_handle(driver().events, handle);
    if (!event) return CUDA_ERROR_INVALID_HANDLE;
    return in_context(&event->context, [&](Context&) { return body(*event); });
}

}  // namespace

SHIM_EXPORT CUresult cuEventCreate(CUevent* handle, unsigned flags) {
    return in_current_context([&](Context& context) {
        auto event = std::make_unique<Event>(Event{context, !(flags & CU_EVENT_DISABLE_TIMING)});
        *handle = event.get();
        driver().events[*handle] = std::move(event);
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuEventDestroy_v2(CUevent handle) {
    return on_event(handle, [](Event& event) {
        driver().events.erase(&event);
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuEventRecord(CUevent handle, CUstream stream_handle) {
    return on_stream(stream_handle, [&](Stream& stream) {
        Event* event = find_handle(driver().events, handle);
        if (!event || &event->context != &stream.context) return CUDA_ERROR_INVALID_HANDLE;
        event->last = std::make_shared<Event::Record>();
        event->last->mark =
            stream.enqueue([record = event->last] { record->time = std::chrono::steady_clock::now(); });
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuStreamWaitEvent(CUstream stream_handle, CUevent handle, unsigned) {
    return on_stream(stream_handle, [&](Stream& stream) {
        Event* event = find_handle(driver().events, handle);
        if (!event) return CUDA_ERROR_INVALID_HANDLE;
        if (event->last) stream.wait_for(event->last->mark);
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuEventSynchronize(CUevent handle) {
    return on_event(handle, [](Event& event) {
        if (event.last) event.context.finish(event.last->mark);
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuEventQuery(CUevent handle) {
    return on_event(handle, [](Event& event) {
        if (!event.last || event.last->mark.reached()) return CUDA_SUCCESS;
        event.context.advance();
        return CUDA_ERROR_NOT_READY;
    });
}

SHIM_EXPORT CUresult cuEventElapsedTime_v2(float* milliseconds, CUevent start, CUevent end) {
    return on_event(start, [&](Event& first) {
        const Event* second = find_handle(driver().events, end);
        if (!second || !first.timing || !second->timing || !first.last || !second->last)
            return CUDA_ERROR_INVALID_HANDLE;
        if (!first.last->mark.reached() || !second->last->mark.reached()) return CUDA_ERROR_NOT_READY;
        *milliseconds = std::chrono::duration<float, std::milli>(second->last->time - first.last->time).count();
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) {
    return cuEventElapsedTime_v2(milliseconds, start, end);
}
