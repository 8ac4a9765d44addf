"""The reasons that reconciliation writes down, by code; see `orders.reasons`."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from orders.reasons import Reason, columns, join, register, say

__all__ = ["Reason", "columns", "join", "say"]

register(
    {
        # Why an order was captured offline, or refused.
        "connection_offline": _("The connection to OCI is offline."),
        "connection_forced_offline": _("The connection to OCI is forced offline."),
        "connection_not_set_up": _("The connection to OCI is not set up: %(fault)s."),
        "slow_down": _("OCI asks us to slow down."),
        "behind_earlier_order": _(
            "An earlier order waits for the same stock, so this order queues behind it."
        ),
        "behind_promise": _("Arriving stock goes to earlier orders first; this one queues behind."),
        "stock_for_promises": _("Stock has arrived for orders that are short."),
        "short_at_oci": _("OCI has less than was ordered. The shopper was informed."),
        "site_takes_none": _("Site %(site)s does not accept orders without a reservation."),
        "nothing_stored": _("Nothing was stored. Try again later."),
        "failed_for_good": _(
            "The order has failed and cannot be retried. Place it under a new number."
        ),
        # How a call to OCI ended.
        "oci_connect": _("OCI could not be reached."),
        "oci_timeout": _("OCI did not answer in time."),
        "oci_server_error": _("OCI answered with a server error."),
        "oci_broken": _("OCI ended the connection before its answer was complete."),
        "oci_malformed": _("OCI's answer could not be understood."),
        "http_status": _("(HTTP %(status)s)"),
        "oci_throttled": _("OCI asks to wait %(seconds)s seconds."),
        "oci_credentials": _("OCI refuses our credentials."),
        "oci_credentials_status": _("OCI refuses our credentials (HTTP %(status)s)."),
        "oci_token_status": _("OCI refuses the request for a token (HTTP %(status)s)."),
        "oci_refused_call": _("OCI refused the call: %(code)s (HTTP %(status)s)."),
        "oci_refused_reservation": _("OCI refused the reservation: %(code)s."),
        "oci_refused_cancel": _("OCI refused to cancel a reservation: %(code)s."),
        "oci_refused_releases": _("OCI refused to release units: %(code)s."),
        "not_released": _(
            "OCI does not release %(units)s of %(sku)s: %(code)s. Check in OCI what is reserved"
            " for the order, then end the review: OCI is asked again under a new id."
        ),
        "oci_busy_with_order": _("OCI is still working on an earlier call for this order."),
        "oci_busy": _("OCI is still working on an earlier call."),
        "oci_giving_back": _("OCI is still giving back an earlier reservation."),
        "oci_refused_ids": _("OCI refused several reservation ids in a row."),
        "call_on_its_way": _(
            "A call may still be on its way to OCI, so the reservation is cancelled again."
        ),
        "order_changed": _("The order was just changed by another person or process."),
        "document_changed": _("The reservation document was just changed."),
        "next_id": _("OCI answered %(code)s for the reservation id. The next id is used."),
        "reserved": _("OCI answered the reservation."),
        "shortfall_reserved": _("OCI answered the reservation of the shortfall."),
        "had_too_few": _("OCI had %(held)s of %(sku)s, and %(needed)s are needed."),
        "nothing_held": _("OCI holds nothing for it, and its stock was given back."),
        # Why there was no connection, and what was wrong with an answer.
        "address_unusable": _("The address of OCI in the settings cannot be used."),
        "name_not_resolved": _("Its name could not be resolved."),
        "certificate_refused": _("Its certificate or the secure connection was not accepted."),
        "connection_refused": _("The connection was refused."),
        "address_not_permitted": _("Its address may not be called from here."),
        "no_connection_in_time": _("No connection in time."),
        "no_http": _("It is not HTTP."),
        "proxy_failed": _("The proxy (COC_OCI_PROXY) made no connection."),
        "answer_too_long": _("It is longer than %(bytes)s bytes."),
        "not_json_type": _("Its content type is not JSON."),
        "not_json": _("It is not JSON."),
        "not_a_reservation": _("It does not answer a reservation."),
        "not_counts": _("It does not answer a request for figures."),
        "no_time": _("Its reservationTime is not a time."),
        "silent_about": _("It does not say how much of %(place)s is held."),
        "other_document": _("It is about another reservation document."),
        "other_place_too": _("It also names %(place)s."),
        "has_errors": _("It reports errors."),
        "no_list_of_errors": _("It does not list errors."),
        "record_not_sent": _("It reports a record that was not sent."),
        "place_not_asked": _("It names a place that was not requested."),
        "sku_not_asked": _("It names a SKU that was not requested."),
        # What was wrong with a feed of stock.
        "feed_no_end": _("The file continues after its token, or a line has no end."),
        "feed_odd_line": _("A line is neither stock nor a place."),
        "feed_cut_off": _("The file ends without a delta token."),
        "feed_not_json": _("A line is not a JSON object."),
        "feed_no_again": _("shouldQueryAgain is neither true nor false."),
        "feed_token_too_long": _("The delta token is too long."),
        "feed_odd_delta": _("A record is neither a change nor a deletion."),
        "export_failed": _("OCI's export has failed."),
        "export_too_long": _("OCI's export takes too long."),
        "export_other_file": _("The file of the export is not the one that OCI wrote."),
        "export_other_count": _("The export has %(lines)s records; OCI wrote %(records)s."),
        "export_sold_out": _(
            "The export has stock for %(skus)s SKUs; %(before)s had stock before, so it is not"
            " trusted."
        ),
        "feed_records_busy": _("Records were busy for too long."),
        "feed_sold_out": _(
            "All of %(skus)s changes say that a SKU with stock is sold out; a full export decides."
        ),
        "feed_own_fault": _("Internal error: %(fault)s."),
        "two_answers": _("It has two answers for one SKU."),
        "line_not_asked": _("It lists %(what)s, which was not requested."),
        "more_than_asked": _("It lists %(told)s of %(what)s, and %(asked)s was requested."),
        "listed_twice": _("OCI lists %(what)s %(times)s times. The quantities are added."),
        "empty_success": _("OCI reports success and lists nothing."),
        "not_an_object": _("%(what)s is not an object."),
        "not_a_list": _("%(what)s is not a list."),
        "not_a_text": _("%(what)s is not text."),
        "not_a_number": _("%(what)s is not a number."),
        "not_a_quantity": _("%(what)s is not a quantity."),
        "too_many_places": _("%(what)s has more than three decimals."),
        # Outages and reconciliations.
        "unanswered_calls": _("OCI has left %(limit)s or more calls in a row without an answer."),
        "reservations_unanswered": _(
            "OCI answers reads, but leaves reservations without an answer."
        ),
        "reservations_throttled": _("OCI asks us to slow down each time and takes no reservation."),
        "reservations_slow": _(
            "More than one reservation of twenty takes longer than a shopper may wait."
        ),
        "trouble_over": _("The fault at OCI that left orders waiting has ended."),
        "credentials_or_tenant": _(
            "OCI refuses our credentials or does not know our tenant group."
        ),
        "never_answered": _("OCI has never answered with these settings."),
        "oci_answers_again": _("OCI answers again."),
        "practice_begun": _("Practice until %(time)s UTC, begun by %(who)s."),
        "practice_ended": _("Practice ended."),
        "nothing_waits": _("Nothing waits for a reservation any more."),
        "window_runs": _("Planned outage (%(owner)s): %(note)s"),
        "window_ended": _("The planned outage has ended (%(owner)s): %(note)s"),
        # Why a message did not leave.
        "receiver_unreached": _("The receiver could not be reached."),
        "receiver_timeout": _("The receiver did not answer in time."),
        "receiver_malformed": _("The receiver's answer could not be understood."),
        "receiver_not_permitted": _("The address may not be called."),
        "receiver_unusable": _("The address cannot be used."),
        "receiver_redirects": _(
            "The receiver answered with a redirect, which is not followed (%(status)s)."
        ),
        "receiver_refused": _("The receiver refused the message (HTTP %(status)s)."),
        "mail_line_break": _("A line break stands where none may be."),
        "mail_refused": _("The e-mail server refused the message (%(why)s)."),
        "mail_late": _("The e-mail server did not answer in time."),
        "mail_broken": _("The e-mail server broke off the connection."),
        "mail_not_set_up": _("No e-mail server is set; set EMAIL_HOST (see docs/settings.md)."),
        "mail_unreached": _("The e-mail server could not be reached."),
        "mail_unusable": _("An address or the subject cannot be used in an e-mail."),
        "mail_not_accepted": _("The e-mail was not accepted."),
        "letter_interrupted": _("The sending was interrupted. The message may have arrived."),
        "letter_late": _("The message could not be sent for a day."),
        "letter_undone": _("The remedy was undone before the message was sent."),
        "question_ended": _("The question had ended before it was sent."),
        "letter_waits": _(
            "OCI has not confirmed the replacement yet. Send the message once it has."
        ),
        # Why a job of maintenance ended.
        "export_other_documents": _("The export has %(lines)s documents; OCI wrote %(records)s."),
        "job_gone": _("The worker was stopped before the job was finished. Start the job again."),
        # What is wrong with the file of a report; it stands before this.
        "report_unreadable": _("cannot be read:"),
        "report_changed": _("is not what was written"),
        # Why a file cannot be read or written, as the system says it.
        "disk_full": _("No space left on device"),
        "quota_exceeded": _("Disk quota exceeded"),
        "permission_denied": _("Permission denied"),
        "not_permitted": _("Operation not permitted"),
        "disk_read_only": _("Read-only file system"),
        "no_such_folder": _("No such file or directory"),
        "not_a_folder": _("Not a directory"),
        "disk_fault": _("Input/output error"),
        "orders_wait": _("Orders wait for their reservation, or for the end of a rerun."),
    }
)
