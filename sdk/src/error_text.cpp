#include <Poco/Exception.h>

#include <sallyport/error_text.h>
#include <sallyport/errors.h>

namespace sallyport {

std::string errorText(const std::exception_ptr& problem) {
    try {
        std::rethrow_exception(problem);
    } catch (const StoreError& error) {
        return error.detail();
    } catch (const Poco::Exception& error) {
        return error.displayText();
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {
        return "not a std::exception";
    }
}

}  // namespace sallyport
