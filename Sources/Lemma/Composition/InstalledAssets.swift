import API
import FoundationEssentials

extension WebAssets {
    /// Reads the web page from its installation: beside the program, in `share/lemma` of its prefix, or in the checkout of
    /// its build.
    static func installed() throws -> WebAssets {
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let folder = program.prefix(upTo: program.lastIndex(of: "/") ?? program.startIndex)
        let places = ["\(folder)/web", "\(folder)/../share/lemma/web", "\(folder)/../../../web"]
        guard let place = places.first(where: { FileManager.default.fileExists(atPath: "\($0)/index.html") }) else {
            throw StartFailure("the web page is missing: none of \(places.joined(separator: ", ")) has index.html")
        }
        return try WebAssets(directory: place)
    }
}
