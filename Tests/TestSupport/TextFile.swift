internal import Glibc

/// The content of a file; empty where there is none.
///
/// Not by FileManager, which leaks memory for each empty file.
package func textOfFile(_ path: String) -> String {
    guard let file = unsafe fopen(path, "r") else { return "" }
    defer { unsafe fclose(file) }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while case let count = unsafe fread(&chunk, 1, chunk.count, file), count > 0 { content += chunk[..<count] }
    return String(decoding: content, as: UTF8.self)
}
