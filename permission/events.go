package permission

// MaySubscribe tells whether somebody who is no administrator may subscribe to events of this type
// (permissions.md §9). Of state_changed they may see only what concerns entities that they may read: whoever
// delivers these events asks [Permissions.Check] for each.
func MaySubscribe(eventType string) bool {
	switch eventType {
	case "area_registry_updated",
		"component_loaded",
		"core_config_updated",
		"device_registry_updated",
		"entity_registry_updated",
		"lovelace_updated",
		"panels_updated",
		"recorder_5min_statistics_generated",
		"recorder_hourly_statistics_generated",
		"repairs_issue_registry_updated",
		"service_registered",
		"service_removed",
		"shopping_list_updated",
		"state_changed",
		"themes_updated":
		return true
	default:
		return false
	}
}
