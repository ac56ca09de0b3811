internal import CUV

/// A libuv handle and the Swift object that speaks for it.
///
/// The handle owns one reference to its object from ``adopt()`` to libuv's close callback, so a callback never finds
/// its object gone; the memory libuv uses is freed in that same callback. Loop-owned: never leaves the loop's thread.
package class LoopHandle {
    package let loop: Loop
    package private(set) final var isClosed = false
    let handle: UnsafeMutablePointer<uv_handle_t>
    private var adopted = false

    /// Allocates the handle; the subclass calls its `uv_…_init`, then ``adopt()``.
    init(on loop: Loop, handle type: uv_handle_type) {
        loop.assertCurrent()
        self.loop = loop
        let memory = UnsafeMutableRawPointer.allocate(byteCount: uv_handle_size(type), alignment: 16)
        handle = memory.assumingMemoryBound(to: uv_handle_t.self)
        handle.pointee.data = nil
    }

    deinit {
        // Only reached before adoption or after the close callback.
        UnsafeMutableRawPointer(handle).deallocate()
    }

    /// Gives the initialised handle its reference to this object.
    final func adopt() {
        // Safety: balanced by the release in `close()`'s callback.
        handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
        adopted = true
    }

    /// Closes the handle; idempotent.
    ///
    /// Subclasses override ``willClose()`` to tell their users.
    package final func close() {
        loop.assertCurrent()
        guard !isClosed else { return }
        isClosed = true
        guard adopted else { return }
        willClose()
        uv_close(handle) { handle in
            guard let data = handle?.pointee.data else { return }
            // Safety: takes back the reference given in `adopt()`; libuv does not touch the handle after this callback.
            Unmanaged<LoopHandle>.fromOpaque(data).release()
        }
    }

    /// Called once, just before the handle closes.
    func willClose() {}

    static func owner(of handle: UnsafeMutablePointer<uv_handle_t>) -> LoopHandle? {
        // Safety: `data` of a handle on our loops is nil or the reference made in `adopt()`.
        handle.pointee.data.map { Unmanaged<LoopHandle>.fromOpaque($0).takeUnretainedValue() }
    }

    /// The object of a C callback's handle.
    static func of<Handle, Owner: LoopHandle>(_ handle: UnsafeMutablePointer<Handle>?, as _: Owner.Type) -> Owner {
        guard let handle,
            let owner = owner(of: UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self))
        else { preconditionFailure("a libuv callback came for a handle without an owner") }
        return unsafeDowncast(owner, to: Owner.self)
    }

    final func pointer<Handle>(as _: Handle.Type) -> UnsafeMutablePointer<Handle> {
        UnsafeMutableRawPointer(handle).assumingMemoryBound(to: Handle.self)
    }
}
