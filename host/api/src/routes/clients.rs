//! Certificates of OPC UA clients: whom the host's own server lets in. Which side is meant is told by the address, so that nobody
//! lets in as a client whom he wanted to speak to as a server. They are shown with the others, in `certificates`.

use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use geminus_access::Principal;

use super::certificates::{Ordered, Thumbprint};
use super::{Shared, in_time};
use crate::error::{ErrorView, Failure};
use crate::house::House;
use crate::request::OrderRequest;
use crate::view::{CertificateOrder, ClientCertificateView};

/// Trusts a client's certificate: it is let in with its next attempt, to log in. As a server it is not trusted by that.
#[utoipa::path(post, path = "/api/v1/certificates/clients/{thumbprint}/trust", tag = "certificates", operation_id = "trust_client_certificate", security(("token" = [])),
    params(("thumbprint" = String, Path, description = "Its whole SHA-1 or SHA-256, in hexadecimal")),
    request_body(content = OrderRequest, content_type = "application/json", description = "Who orders it; may be empty"),
    responses(
        (status = 200, description = "The certificate as it stands now", body = ClientCertificateView),
        (status = 401, description = "The token is missing or wrong", body = ErrorView),
        (status = 404, description = "No client has shown it", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn trust<H: House>(
    State(shared): State<Shared<H>>,
    path: Thumbprint,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<ClientCertificateView>, Failure> {
    let ordered = Ordered::read(&shared, path, query, request).await?;
    order(shared, CertificateOrder::Trust, ordered).await.map(Json)
}

/// Rejects a client's certificate, trusted or not: it is not let in again. Its session ends within two seconds.
#[utoipa::path(post, path = "/api/v1/certificates/clients/{thumbprint}/reject", tag = "certificates", operation_id = "reject_client_certificate", security(("token" = [])),
    params(("thumbprint" = String, Path, description = "Its whole SHA-1 or SHA-256, in hexadecimal")),
    request_body(content = OrderRequest, content_type = "application/json", description = "Who orders it; may be empty"),
    responses(
        (status = 200, description = "The certificate as it stands now", body = ClientCertificateView),
        (status = 401, description = "The token is missing or wrong", body = ErrorView),
        (status = 404, description = "No client has shown it", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn reject<H: House>(
    State(shared): State<Shared<H>>,
    path: Thumbprint,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<ClientCertificateView>, Failure> {
    let ordered = Ordered::read(&shared, path, query, request).await?;
    order(shared, CertificateOrder::Reject, ordered).await.map(Json)
}

/// Forgets a client's certificate. A client that still has it shows it again, as an unknown one.
#[utoipa::path(delete, path = "/api/v1/certificates/clients/{thumbprint}", tag = "certificates", operation_id = "remove_client_certificate", security(("token" = [])),
    params(("thumbprint" = String, Path, description = "Its whole SHA-1 or SHA-256, in hexadecimal")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 401, description = "The token is missing or wrong", body = ErrorView),
        (status = 404, description = "No client has shown it", body = ErrorView),
    ))]
pub(crate) async fn remove<H: House>(
    State(shared): State<Shared<H>>,
    Extension(principal): Extension<Principal>,
    path: Thumbprint,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Failure> {
    let ordered = Ordered::bare(path, query.as_deref(), &principal)?;
    order(shared, CertificateOrder::Remove, ordered).await.map(|_| StatusCode::NO_CONTENT)
}

async fn order<H: House>(
    shared: Shared<H>,
    order: CertificateOrder,
    Ordered { thumbprint, by }: Ordered,
) -> Result<ClientCertificateView, Failure> {
    let ordered = shared.house.order_client_certificate(thumbprint, order, by);
    in_time(shared.options.limits.answer, ordered).await
}
