internal import CHiredis

/// A command and its arguments as a value, for control paths; hot paths use the cheaper ``RedisCommandWriter``.
package struct RedisCommand: Sendable {
    private var bytes: [UInt8] = []
    private var ends: [Int] = []

    /// `arguments` are strings, byte arrays and integers.
    package init(_ name: String, _ arguments: any RedisArgument...) {
        append(name)
        for argument in arguments { append(argument) }
    }

    package mutating func append(_ argument: some RedisArgument) {
        argument.append(to: &bytes)
        ends.append(bytes.count)
    }

    package mutating func append(contentsOf arguments: some Sequence<some RedisArgument>) {
        for argument in arguments { append(argument) }
    }

    /// Appends the command in wire format (RESP).
    func format(into output: inout [UInt8]) {
        // Safety: the pointers live as long as this closure; hiredis copies their bytes into memory that it allocates and
        // that is freed below. Empty arguments have a length of 0, so their pointer is not read.
        unsafe bytes.withUnsafeBytes { bytes in
            var pointers: [UnsafePointer<CChar>?] = unsafe []
            var lengths: [Int] = []
            var start = 0
            for end in ends {
                let argument = unsafe bytes.baseAddress?.advanced(by: start)
                unsafe pointers.append(argument?.assumingMemoryBound(to: CChar.self))
                lengths.append(end - start)
                start = end
            }
            var request: UnsafeMutablePointer<CChar>?
            let length = unsafe redisFormatCommandArgv(&request, Int32(ends.count), &pointers, &lengths)
            guard let request = unsafe request, length >= 0 else {
                preconditionFailure("out of memory for a Redis command")
            }
            unsafe output.append(contentsOf: UnsafeRawBufferPointer(start: request, count: Int(length)))
            unsafe redisFreeCommand(request)
        }
    }
}

/// A type whose values can be arguments of a ``RedisCommand``.
package protocol RedisArgument: Sendable {
    func append(to bytes: inout [UInt8])
}

extension String: RedisArgument {
    package func append(to bytes: inout [UInt8]) { bytes.append(contentsOf: utf8) }
}

extension Int: RedisArgument {
    package func append(to bytes: inout [UInt8]) { bytes.append(contentsOf: String(self).utf8) }
}

extension [UInt8]: RedisArgument {
    package func append(to bytes: inout [UInt8]) { bytes.append(contentsOf: self) }
}
