//! The dashboard as bytes: the page that `build.rs` made through npm, embedded in the program.
//!
//! Nothing here serves HTTP; `api` asks for a path and answers with what it gets. Without the feature
//! `dashboard` there is no page and every path answers `None`. The files need no network: what the page loads
//! comes from this table, and it runs under `default-src 'self'; style-src 'self' 'unsafe-inline'`.

use std::borrow::Cow;

/// One file of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// What to send.
    pub bytes: Cow<'static, [u8]>,
    /// For the header `Content-Type`.
    pub content_type: &'static str,
    /// For the header `ETag`, without its quotes; the same bytes have the same tag within one build.
    pub etag: String,
}

struct Embedded {
    path: &'static str,
    content_type: &'static str,
    etag: &'static str,
    bytes: &'static [u8],
}

#[cfg(feature = "dashboard")]
include!(concat!(env!("OUT_DIR"), "/assets.rs"));
#[cfg(not(feature = "dashboard"))]
static FILES: &[Embedded] = &[];

/// The file at a URL path, with or without its leading slash; `""` and `"/"` are the page itself. `None` for
/// what is not there. Costs a search in a sorted table, copies nothing but the tag, does not block.
#[must_use]
pub fn asset(path: &str) -> Option<Asset> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = if path.is_empty() { "index.html" } else { path };
    let place = FILES.binary_search_by(|file| file.path.cmp(path)).ok()?;
    FILES.get(place).map(|file| Asset {
        bytes: Cow::Borrowed(file.bytes),
        content_type: file.content_type,
        etag: file.etag.to_owned(),
    })
}

/// Whether a path's content can never change under its name (Vite puts a hash of the content into it), so that
/// browsers may keep it for good.
#[must_use]
pub fn immutable(path: &str) -> bool {
    path.strip_prefix('/').unwrap_or(path).starts_with("assets/")
}

#[cfg(test)]
#[cfg(feature = "dashboard")]
mod tests {
    use super::*;

    fn text(path: &str) -> String {
        String::from_utf8(asset(path).expect(path).bytes.into_owned()).expect("UTF-8")
    }

    #[test]
    fn the_page_answers_under_its_names_and_nothing_else_does() {
        for path in ["", "/", "index.html", "/index.html"] {
            assert_eq!(asset(path).expect(path).content_type, "text/html; charset=utf-8");
        }
        for path in ["nothing", "/../Cargo.toml", "//", "assets", "assets/", "index.html/"] {
            assert_eq!(asset(path), None, "{path}");
        }
    }

    #[test]
    fn every_file_that_the_page_names_is_embedded() {
        let page = text("/");
        let named: Vec<&str> = page
            .split('"')
            .filter(|part| part.contains("assets/"))
            .map(|part| part.trim_start_matches("./").trim_start_matches('/'))
            .collect();
        assert!(
            named.iter().any(|n| n.ends_with(".js")) && named.iter().any(|n| n.ends_with(".css")),
            "{named:?}"
        );
        for name in named {
            assert!(asset(name).is_some(), "{name}");
            assert!(immutable(name));
        }
        assert!(!immutable("/"));
    }

    #[test]
    fn the_page_obeys_its_content_policy() {
        for file in FILES.iter().filter(|f| f.path.ends_with(".html")) {
            let page = text(file.path);
            for tag in page.split("<script").skip(1) {
                let (head, rest) = tag.split_once('>').expect("a closed tag");
                assert!(head.contains("src=") && rest.starts_with("</script>"), "an inline script: {tag}");
            }
            assert!(!page.contains("onload=") && !page.contains("onclick="));
        }
        for file in FILES.iter().filter(|f| f.path.ends_with(".js")) {
            let script = text(file.path);
            assert!(
                !script.contains("new Function(") && !script.contains("eval("),
                "{} evaluates text",
                file.path
            );
        }
        for file in FILES.iter().filter(|f| f.path.ends_with(".css")) {
            let sheet = text(file.path);
            assert!(
                !sheet.contains("url(http") && !sheet.contains("@import"),
                "{} leaves the host",
                file.path
            );
        }
    }

    #[test]
    fn tags_differ_and_are_plain() {
        let mut tags: Vec<_> = FILES.iter().map(|f| f.etag).collect();
        assert!(tags.iter().all(|t| t.len() == 16 && t.bytes().all(|b| b.is_ascii_hexdigit())));
        tags.sort_unstable();
        tags.dedup();
        assert_eq!(tags.len(), FILES.len());
    }

    #[test]
    fn the_page_stays_small() {
        let bytes: usize = FILES.iter().map(|f| f.bytes.len()).sum();
        assert!(bytes < 600_000, "{bytes} bytes: more than 200 KB compressed is likely");
    }
}
