internal import CUV
internal import Glibc

extension ByteStream {
    /// The numeric address of the other end of a TCP connection, without the port; empty when it has gone already and on
    /// Unix-domain sockets.
    package var peerAddress: String {
        guard !isClosed, uv_handle_get_type(handle) == UV_TCP else { return "" }
        var storage = sockaddr_storage()
        var length = Int32(MemoryLayout<sockaddr_storage>.size)
        // Safety: `sockaddr_storage` holds any address; libuv writes at most `length` bytes.
        return withUnsafeMutableBytes(of: &storage) { bytes in
            guard let address = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                uv_tcp_getpeername(pointer(as: uv_tcp_t.self), address, &length) == 0
            else { return "" }
            return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
                guard let start = text.baseAddress, uv_ip_name(address, start, text.count) == 0 else { return "" }
                return String(cString: start)
            }
        }
    }

    /// Bytes in the kernel's send buffer, sent or not (tcp(7), SIOCOUTQ).
    var unacknowledgedBytes: Int {
        var descriptor: Int32 = -1
        var count: Int32 = 0
        guard !isClosed, uv_fileno(handle, &descriptor) == 0,
            ioctl(descriptor, UInt(TIOCOUTQ), &count) == 0
        else { return 0 }
        return Int(count)
    }
}
