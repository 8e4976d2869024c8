//! Certificates: who we are to OPC UA servers, whom we trust, and until when those of TLS are good. What is trusted is named
//! by a whole thumbprint, so that nobody trusts what he has not compared. No key leaves the host. Orders of clients'
//! certificates are in `clients`.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use geminus_access::Principal;

use super::{Shared, body, in_time};
use crate::error::{ErrorView, Failure};
use crate::guard::admission;
use crate::house::House;
use crate::query::Params;
use crate::request::{self, OrderRequest};
use crate::view::{CertificateOrder, CertificatesView, ServerCertificateView};

pub(super) type Thumbprint = Result<Path<String>, PathRejection>;

/// Hexadecimal digits of a whole SHA-1 and of a whole SHA-256.
const WHOLE: [usize; 2] = [40, 64];

/// Certificates that the host shows, trusts and rejects.
#[utoipa::path(get, path = "/api/v1/certificates", tag = "certificates", operation_id = "certificates",
    responses((status = 200, description = "All of them", body = CertificatesView)))]
pub(crate) async fn certificates<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
) -> Result<Json<CertificatesView>, Failure> {
    Params::read(query.as_deref(), &[])?;
    in_time(shared.options.limits.answer, shared.house.certificates()).await.map(Json)
}

/// The host's own certificate towards OPC UA servers, to be given to whoever runs them. Without its key.
#[utoipa::path(get, path = "/api/v1/certificates/own", tag = "certificates", operation_id = "own_certificate",
    params(("format" = Option<String>, Query, description = "`der` or `pem`; `der` unless given")),
    responses(
        (status = 200, description = "The certificate, as `application/x-pem-file` where PEM was asked for",
         content_type = "application/pkix-cert", body = String),
        (status = 404, description = "There is none yet", body = ErrorView),
    ))]
pub(crate) async fn own<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let params = Params::read(query.as_deref(), &["format"])?;
    let format = match params.text("format") {
        None | Some("der") => "der",
        Some("pem") => "pem",
        Some(_) => return Err(Failure::bad_query("format must be der or pem")),
    };
    let file = in_time(shared.options.limits.answer, shared.house.own_certificate()).await?;
    let (kind, bytes) = match format {
        "pem" => ("application/x-pem-file", bytes::Bytes::from(file.pem)),
        _ => ("application/pkix-cert", file.der),
    };
    let named = format!("attachment; filename=\"geminus.{format}\"");
    Ok(([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, named)], bytes)
        .into_response())
}

/// Trusts a server's certificate: its server is spoken to with the next attempt, at most ten seconds later.
#[utoipa::path(post, path = "/api/v1/certificates/{thumbprint}/trust", tag = "certificates", operation_id = "trust_certificate", security(("token" = [])),
    params(("thumbprint" = String, Path, description = "Its whole SHA-1 or SHA-256, in hexadecimal")),
    request_body(content = OrderRequest, content_type = "application/json", description = "Who orders it; may be empty"),
    responses(
        (status = 200, description = "The certificate as it stands now", body = ServerCertificateView),
        (status = 401, description = "The token is missing or wrong", body = ErrorView),
        (status = 404, description = "No server has shown it", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn trust<H: House>(
    State(shared): State<Shared<H>>,
    path: Thumbprint,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<ServerCertificateView>, Failure> {
    let ordered = Ordered::read(&shared, path, query, request).await?;
    order(shared, CertificateOrder::Trust, ordered).await
}

/// Rejects a server's certificate, trusted or not. A connection that stands is ended within seconds.
#[utoipa::path(post, path = "/api/v1/certificates/{thumbprint}/reject", tag = "certificates", operation_id = "reject_certificate", security(("token" = [])),
    params(("thumbprint" = String, Path, description = "Its whole SHA-1 or SHA-256, in hexadecimal")),
    request_body(content = OrderRequest, content_type = "application/json", description = "Who orders it; may be empty"),
    responses(
        (status = 200, description = "The certificate as it stands now", body = ServerCertificateView),
        (status = 401, description = "The token is missing or wrong", body = ErrorView),
        (status = 404, description = "No server has shown it", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn reject<H: House>(
    State(shared): State<Shared<H>>,
    path: Thumbprint,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<ServerCertificateView>, Failure> {
    let ordered = Ordered::read(&shared, path, query, request).await?;
    order(shared, CertificateOrder::Reject, ordered).await
}

/// Forgets a server's certificate. A server that still has it shows it again, as an unknown one.
#[utoipa::path(delete, path = "/api/v1/certificates/{thumbprint}", tag = "certificates", operation_id = "remove_certificate", security(("token" = [])),
    params(("thumbprint" = String, Path, description = "Its whole SHA-1 or SHA-256, in hexadecimal")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 401, description = "The token is missing or wrong", body = ErrorView),
        (status = 404, description = "No server has shown it", body = ErrorView),
    ))]
pub(crate) async fn remove<H: House>(
    State(shared): State<Shared<H>>,
    Extension(principal): Extension<Principal>,
    path: Thumbprint,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Failure> {
    let Ordered { thumbprint, by } = Ordered::bare(path, query.as_deref(), &principal)?;
    let ordered = shared.house.order_certificate(thumbprint, CertificateOrder::Remove, by);
    in_time(shared.options.limits.answer, ordered).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn order<H: House>(
    shared: Shared<H>,
    order: CertificateOrder,
    Ordered { thumbprint, by }: Ordered,
) -> Result<Json<ServerCertificateView>, Failure> {
    let ordered = shared.house.order_certificate(thumbprint, order, by);
    in_time(shared.options.limits.answer, ordered).await.map(Json)
}

/// Of which certificate something is ordered, and by whom.
pub(super) struct Ordered {
    pub(super) thumbprint: String,
    pub(super) by: String,
}

impl Ordered {
    pub(super) async fn read<H: House>(
        shared: &Shared<H>,
        path: Thumbprint,
        query: Option<String>,
        request: Request,
    ) -> Result<Self, Failure> {
        Params::read(query.as_deref(), &[])?;
        let thumbprint = whole(path)?;
        let principal = admission::principal(&request)?;
        let limits = &shared.options.limits;
        let body = body::read(request, "the body", limits.order_bytes_max, limits.answer).await?;
        Ok(Self { thumbprint, by: admission::signed(&principal, request::by(&body)?)? })
    }

    /// Of a request without a body.
    pub(super) fn bare(
        path: Thumbprint,
        query: Option<&str>,
        principal: &Principal,
    ) -> Result<Self, Failure> {
        Params::read(query, &[])?;
        Ok(Self { thumbprint: whole(path)?, by: admission::signed(principal, None)? })
    }
}

/// A whole thumbprint in small letters. Part of one is what an impostor's certificate can be made to share.
fn whole(path: Thumbprint) -> Result<String, Failure> {
    let wrong = "the thumbprint in the path must be whole: 40 (SHA-1) or 64 (SHA-256) hexadecimal digits";
    let Path(thumbprint) = path.map_err(|_| Failure::bad_query(wrong))?;
    match WHOLE.contains(&thumbprint.len()) && thumbprint.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(thumbprint.to_ascii_lowercase()),
        false => Err(Failure::bad_query(wrong)),
    }
}
