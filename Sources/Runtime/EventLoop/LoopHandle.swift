internal import CUV

/// A libuv handle and the Swift object that owns it.
///
/// Loop-owned: it never leaves the loop's thread.
///
/// Safety: `@safe` because the handle retains its object from ``adopt()`` to libuv's close callback, so a callback always
/// finds its object, and the memory that libuv uses is freed with the object.
@safe package class LoopHandle {
    package let loop: Loop
    package private(set) final var isClosed = false
    let handle: UnsafeMutablePointer<uv_handle_t>
    private var adopted = false

    /// Allocates the handle; the subclass calls its `uv_…_init`, then ``adopt()``.
    init(on loop: Loop, handle type: uv_handle_type) {
        loop.assertCurrent()
        self.loop = loop
        let memory = UnsafeMutableRawPointer.allocate(byteCount: uv_handle_size(type), alignment: 16)
        unsafe handle = unsafe memory.assumingMemoryBound(to: uv_handle_t.self)
        unsafe handle.pointee.data = nil
    }

    deinit {
        // Safety: reached only before adoption or after the close callback, so libuv does not use the memory.
        unsafe UnsafeMutableRawPointer(handle).deallocate()
    }

    /// Stores a reference to this object in the initialised handle.
    final func adopt() {
        // Safety: balanced by the release in `close()`'s callback.
        unsafe handle.pointee.data = unsafe Unmanaged.passRetained(self).toOpaque()
        adopted = true
    }

    /// Closes the handle; idempotent.
    ///
    /// Subclasses override ``willClose()`` to notify their owners.
    package final func close() {
        loop.assertCurrent()
        guard !isClosed else { return }
        isClosed = true
        guard adopted else { return }
        willClose()
        unsafe uv_close(handle) { handle in
            guard let data = unsafe handle?.pointee.data else { return }
            // Safety: balances `adopt()`; libuv does not use the handle after this callback.
            unsafe Unmanaged<LoopHandle>.fromOpaque(data).release()
        }
    }

    /// Called once, immediately before the handle closes.
    func willClose() {}

    static func owner(of handle: UnsafeMutablePointer<uv_handle_t>) -> LoopHandle? {
        // Safety: `data` of a handle on these loops is nil or the reference stored by `adopt()`.
        unsafe handle.pointee.data.map { unsafe Unmanaged<LoopHandle>.fromOpaque($0).takeUnretainedValue() }
    }

    /// The owner of a C callback's handle.
    ///
    /// Safety: the callback was registered on a handle of an `Owner`.
    static func of<Handle, Owner: LoopHandle>(_ handle: UnsafeMutablePointer<Handle>?, as _: Owner.Type) -> Owner {
        guard let handle = unsafe handle,
            let owner = unsafe owner(of: UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self))
        else { preconditionFailure("a libuv callback ran for a handle without an owner") }
        return unsafe unsafeDowncast(owner, to: Owner.self)
    }

    /// The handle as libuv's type for it; `Handle` must belong to the `uv_handle_type` given to the initialiser.
    final func pointer<Handle>(as _: Handle.Type) -> UnsafeMutablePointer<Handle> {
        unsafe UnsafeMutableRawPointer(handle).assumingMemoryBound(to: Handle.self)
    }
}
