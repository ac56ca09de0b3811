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

    /// How long the peer's side has acknowledged nothing while bytes are on their way to it, in milliseconds; 0 where none
    /// are, and on other sockets than TCP.
    ///
    /// A peer that merely does not read still acknowledges, and has nothing on its way to it once its window is closed:
    /// this tells a vanished peer from a slow one, which `TCP_USER_TIMEOUT` does not (it ends both). Costs one or two
    /// system calls.
    package var peerSilenceMilliseconds: Int64 {
        guard unacknowledgedBytes > 0, let descriptor = fileDescriptor else { return 0 }
        var info = tcp_info()
        var length = socklen_t(MemoryLayout<tcp_info>.size)
        guard getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, &info, &length) == 0, info.tcpi_unacked > 0 else {
            return 0
        }
        return Int64(info.tcpi_last_ack_recv)
    }

    /// Bytes in the kernel's send buffer, sent or not (tcp(7), SIOCOUTQ).
    var unacknowledgedBytes: Int {
        var count: Int32 = 0
        guard let descriptor = fileDescriptor, ioctl(descriptor, UInt(TIOCOUTQ), &count) == 0 else { return 0 }
        return Int(count)
    }

    private var fileDescriptor: Int32? {
        var descriptor: Int32 = -1
        return !isClosed && uv_fileno(handle, &descriptor) == 0 ? descriptor : nil
    }
}
