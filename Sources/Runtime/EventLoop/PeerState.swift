internal import CUV
internal import Glibc

extension ByteStream {
    /// The numeric address of a TCP peer, without the port; empty when the connection is closed and on Unix-domain
    /// sockets.
    package var peerAddress: String {
        guard !isClosed, unsafe uv_handle_get_type(handle) == UV_TCP else { return "" }
        var storage = sockaddr_storage()
        var length = Int32(MemoryLayout<sockaddr_storage>.size)
        // Safety: `sockaddr_storage` is large enough for any address; libuv writes at most `length` bytes.
        return unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            guard let address = unsafe bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                unsafe uv_tcp_getpeername(pointer(as: uv_tcp_t.self), address, &length) == 0
            else { return "" }
            return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
                guard let start = text.baseAddress, unsafe uv_ip_name(address, start, text.count) == 0 else {
                    return ""
                }
                return unsafe String(cString: start)
            }
        }
    }

    /// Milliseconds since the peer's last acknowledgement while sent bytes are unacknowledged; 0 where none are, and on
    /// other sockets than TCP.
    ///
    /// A peer that does not read still acknowledges, and nothing is in flight once its window is closed. So this
    /// distinguishes a vanished peer from a slow one; `TCP_USER_TIMEOUT` would end both. Costs one or two system calls.
    package var peerSilenceMilliseconds: Int64 {
        guard unacknowledgedBytes > 0, let descriptor = fileDescriptor else { return 0 }
        var info = tcp_info()
        var length = socklen_t(MemoryLayout<tcp_info>.size)
        guard unsafe getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, &info, &length) == 0, info.tcpi_unacked > 0
        else {
            return 0
        }
        return Int64(info.tcpi_last_ack_recv)
    }

    /// Bytes in the kernel's send buffer, sent or not (tcp(7), SIOCOUTQ).
    var unacknowledgedBytes: Int {
        var count: Int32 = 0
        guard let descriptor = fileDescriptor, unsafe ioctl(descriptor, UInt(TIOCOUTQ), &count) == 0 else { return 0 }
        return Int(count)
    }

    private var fileDescriptor: Int32? {
        var descriptor: Int32 = -1
        return unsafe !isClosed && uv_fileno(handle, &descriptor) == 0 ? descriptor : nil
    }
}
