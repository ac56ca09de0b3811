internal import COpenSSL

/// SHA-256 (FIPS 180-4).
package enum SHA256 {
    package static let digestBytes = 32

    /// The digest of `message`, 32 bytes.
    package static func digest(_ message: some Sequence<UInt8>) -> [UInt8] {
        unsafe withContiguousBytes(message) { bytes in
            unsafe [UInt8](unsafeUninitializedCapacity: digestBytes) { digest, count in
                // Safety: OpenSSL writes exactly `digestBytes`.
                unsafe COpenSSL.SHA256(bytes.baseAddress, bytes.count, digest.baseAddress)
                count = digestBytes
            }
        }
    }
}

/// HMAC with SHA-256 (RFC 2104, RFC 4231).
package enum HMACSHA256 {
    package static let codeBytes = 32

    /// The authentication code of `message`, 32 bytes.
    package static func authenticate(_ message: some Sequence<UInt8>, key: some Sequence<UInt8>) -> [UInt8] {
        unsafe withContiguousBytes(key) { key in
            unsafe withContiguousBytes(message) { message in
                unsafe [UInt8](unsafeUninitializedCapacity: codeBytes) { code, count in
                    var length: UInt32 = 0
                    // Safety: OpenSSL writes exactly `codeBytes`. An empty key needs an address, too.
                    let done = unsafe withUnsafePointer(to: 0 as UInt8) { nothing in
                        unsafe HMAC(
                            EVP_sha256(),
                            key.baseAddress ?? UnsafeRawPointer(nothing),
                            Int32(key.count),
                            message.baseAddress,
                            message.count,
                            code.baseAddress,
                            &length,
                        )
                    }
                    unsafe precondition(done != nil && length == codeBytes, "OpenSSL does not provide SHA-256")
                    count = codeBytes
                }
            }
        }
    }

    /// Whether `code` authenticates `message`, in constant time for codes of the right length.
    package static func verify(
        _ code: [UInt8],
        of message: some Sequence<UInt8>,
        key: some Sequence<UInt8>,
    ) -> Bool {
        let expected = authenticate(message, key: key)
        return unsafe code.count == expected.count && CRYPTO_memcmp(code, expected, expected.count) == 0
    }
}

/// OpenSSL's random numbers for secrets.
package enum SecureRandom {
    /// `count` unpredictable bytes.
    package static func bytes(_ count: Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            let status = unsafe RAND_bytes(buffer.baseAddress, Int32(count))
            precondition(status == 1, "OpenSSL has no random bytes")
            filled = count
        }
    }
}

/// Calls `body` with the bytes in contiguous memory, which is valid during the call only.
private func withContiguousBytes<Result>(
    _ bytes: some Sequence<UInt8>,
    _ body: (UnsafeRawBufferPointer) -> Result,
) -> Result {
    if let result = bytes.withContiguousStorageIfAvailable({ unsafe body(UnsafeRawBufferPointer($0)) }) {
        return result
    }
    return unsafe [UInt8](bytes).withUnsafeBytes(body)
}
