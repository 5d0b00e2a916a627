"""The alerting subscriber: rules on live logs and on jobs, delivered to where people look."""
